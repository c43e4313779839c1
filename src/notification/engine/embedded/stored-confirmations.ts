/** Confirmations, as the main thread offers them: rows of the store become confirmations here. */
import { canonicalize } from '../../../protocol/canonical-json.js';
import type { Clock } from '../../pacing/clock.js';
import type {
  Confirmation,
  ConfirmationQuery,
  ConfirmationStore,
  DecideRequest,
  DecideResult,
  DismissRequest,
  DismissResult,
  OpenRequest,
  OpenResult,
  WithdrawRequest,
} from '../confirmation-store.js';
import type { Arrival, EngineReading } from '../deadlines.js';
import { checkCursor, type Page } from '../page.js';
import type { Scope } from '../scope.js';
import { OWN_CODE_VIA } from '../via.js';

import { ROW_CURSOR, toConfirmation, toDecideResult, toPage, type DecideRow } from './rows.js';
import type { StoreClient } from './store-client.js';

export class StoredConfirmations implements ConfirmationStore {
  constructor(
    private readonly client: StoreClient,
    private readonly reading: EngineReading,
    private readonly clock: Clock,
  ) {}

  async open({ prompt, ...request }: OpenRequest): Promise<OpenResult> {
    const { created, row } = await this.client.store.open({ ...request, prompt: JSON.stringify(prompt) });
    return { created, confirmation: toConfirmation(row) };
  }

  decide({ callbackId, scope, answeredBy, via = OWN_CODE_VIA, answer, arrival }: DecideRequest): Promise<DecideResult> {
    const { proceed, feedback = null, choice = null, values, edited } = answer;
    const row = { proceed, feedback, choice, values: canonicalize(values) ?? null, edited: canonicalize(edited) ?? null };
    return this.untilDecided(arrival, (arrivedAt) =>
      this.client.store.decide(callbackId, scope, answeredBy, via, row, arrivedAt),
    );
  }

  withdraw({ callbackId, scope, reason, via = OWN_CODE_VIA, arrival }: WithdrawRequest): Promise<DecideResult> {
    return this.untilDecided(arrival, (arrivedAt) =>
      this.client.store.withdraw(callbackId, scope, reason ?? null, via, arrivedAt),
    );
  }

  async markSeen(callbackId: string, scope: Scope): Promise<Confirmation | undefined> {
    const row = await this.client.store.markSeen(callbackId, scope);
    return row && toConfirmation(row);
  }

  async dismiss({ callbackId, scope, until }: DismissRequest): Promise<DismissResult> {
    const result = await this.client.store.dismiss(callbackId, scope, until);
    return 'row' in result ? { status: result.status, confirmation: toConfirmation(result.row) } : result;
  }

  async get(callbackId: string): Promise<Confirmation | undefined> {
    const row = await this.client.store.get(callbackId);
    return row && toConfirmation(row);
  }

  async list(query: ConfirmationQuery): Promise<Page<Confirmation>> {
    checkCursor(query.cursor, ROW_CURSOR);
    return toPage(await this.client.store.list(query));
  }

  /** A call that comes after the deadline waits until the deadline may be applied. */
  private async untilDecided(
    arrival: Arrival | undefined,
    call: (arrivedAt: number) => Promise<DecideRow>,
  ): Promise<DecideResult> {
    const arrivedAt = arrival?.earliest ?? this.clock.monotonicMs();
    for (;;) {
      const calling = call(arrivedAt);
      // Calls keep their order: no later call can apply the deadline before this one is carried out.
      arrival?.handedOver();
      const result = await calling;
      if (result.status !== 'waits') return toDecideResult(result);
      await this.reading.reach(result.until);
      this.client.checkOpen();
    }
  }
}
