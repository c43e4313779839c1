/** Confirmations, as the main thread offers them: rows of the store become confirmations here. */
import { canonicalize } from '../../../protocol/canonical-json.js';
import type { Clock } from '../../pacing/clock.js';
import type {
  Confirmation,
  ConfirmationQuery,
  ConfirmationStore,
  Decided,
  DecideRequest,
  DecideResult,
  DismissRequest,
  DismissResult,
  OpenRequest,
  OpenResult,
  Pending,
  WithdrawRequest,
} from '../confirmation-store.js';
import type { Arrival, EngineReading } from '../deadlines.js';
import { checkCursor, type Page } from '../page.js';
import type { Scope } from '../scope.js';
import { OWN_CODE_VIA } from '../via.js';
import { ROW_CURSOR, toConfirmation, toDecided, toPage, type DecideRow, type DecisionRow } from './rows.js';
import type { StoreClient } from './store-client.js';

/** Emits what a call itself has brought about. What else it causes are events of the store. */
export interface OwnEvents {
  opened(confirmation: Pending): void;
  decided(confirmation: Decided, row: DecisionRow): void;
}

type Waits = Extract<DecideRow, { status: 'waits' }>;

export class StoredConfirmations implements ConfirmationStore {
  constructor(
    private readonly client: StoreClient,
    private readonly reading: EngineReading,
    private readonly clock: Clock,
    private readonly emit: OwnEvents,
  ) {}

  open(request: OpenRequest): Promise<OpenResult> {
    return this.client.call('open', [{ ...request, prompt: JSON.stringify(request.prompt) }], (result) => {
      if (result.status !== 'opened') return { created: result.status === 'cancelled', confirmation: toConfirmation(result.row) };
      const { callbackId, userId, taskId, step, prompt, onTimeout } = request;
      const { createdAt, expiresAt } = result;
      const confirmation: Pending = {
        callbackId,
        userId,
        taskId,
        step,
        prompt,
        createdAt,
        expiresAt,
        onTimeout,
        state: 'pending',
      };
      this.emit.opened(confirmation);
      return { created: true, confirmation };
    });
  }

  decide({ callbackId, scope, answeredBy, via = OWN_CODE_VIA, answer, arrival }: DecideRequest): Promise<DecideResult> {
    const { proceed, feedback = null, choice = null, values, edited } = answer;
    const row = { proceed, feedback, choice, values: canonicalize(values) ?? null, edited: canonicalize(edited) ?? null };
    return this.untilDecided(arrival, (arrivedAt) =>
      this.client.call('decide', [callbackId, scope, answeredBy, via, row, arrivedAt], this.decided),
    );
  }

  withdraw({ callbackId, scope, reason, via = OWN_CODE_VIA, arrival }: WithdrawRequest): Promise<DecideResult> {
    return this.untilDecided(arrival, (arrivedAt) =>
      this.client.call('withdraw', [callbackId, scope, reason ?? null, via, arrivedAt], this.decided),
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

  /** In the turn of the call. */
  private readonly decided = (result: DecideRow): DecideResult | Waits => {
    if (result.status === 'waits' || result.status === 'not_found') return result;
    if (result.status !== 'accepted') return { status: result.status, confirmation: toDecided(result.row, result.row) };
    const confirmation = toDecided(result.row, result.decision);
    this.emit.decided(confirmation, result.decision);
    return { status: 'accepted', confirmation };
  };

  /** A call that comes after the deadline waits until the deadline may be applied. */
  private async untilDecided(
    arrival: Arrival | undefined,
    call: (arrivedAt: number) => Promise<DecideResult | Waits>,
  ): Promise<DecideResult> {
    const arrivedAt = arrival?.earliest ?? this.clock.monotonicMs();
    for (;;) {
      const calling = call(arrivedAt);
      // Calls keep their order: no later call can apply the deadline before this one is carried out.
      arrival?.handedOver();
      const result = await calling;
      if (result.status !== 'waits') return result;
      await this.reading.reach(result.until);
      this.client.checkOpen();
    }
  }
}
