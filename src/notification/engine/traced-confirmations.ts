/** Traces what creates and decides confirmations, on either engine. The place in the trace is stored with the prompt. */
import { contextOf, decisionAttributes, failSpan, reattach, startCreation, startSpan, within } from '../tracing/spans.js';
import { Date } from '../pacing/time-source.js';
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
} from './confirmation-store.js';
import type { Page } from './page.js';
import type { Scope } from './scope.js';

export class TracedConfirmations implements ConfirmationStore {
  constructor(private readonly store: ConfirmationStore) {}

  async open(request: OpenRequest): Promise<OpenResult> {
    const span = startCreation(request);
    const context = contextOf(span);
    const traced = context.traceparent === undefined ? request : { ...request, prompt: { ...request.prompt, ...context } };
    try {
      const opened = await within(span, () => this.store.open(traced));
      // The engine may have given it an id of its own.
      span.setAttribute('messaging.message.id', opened.confirmation.callbackId);
      if (!opened.created) reattach(span, opened.confirmation);
      return opened;
    } catch (error) {
      failSpan(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  decide(request: DecideRequest): Promise<DecideResult> {
    return traced(request.via, () => this.store.decide(request));
  }

  withdraw(request: WithdrawRequest): Promise<DecideResult> {
    return traced(request.via, () => this.store.withdraw(request));
  }

  markSeen(callbackId: string, scope: Scope): Promise<Confirmation | undefined> {
    return this.store.markSeen(callbackId, scope);
  }

  dismiss(request: DismissRequest): Promise<DismissResult> {
    return this.store.dismiss(request);
  }

  get(callbackId: string): Promise<Confirmation | undefined> {
    return this.store.get(callbackId);
  }

  list(query: ConfirmationQuery): Promise<Page<Confirmation>> {
    return this.store.list(query);
  }
}

/** The span begins with the call, but its trace is known only when the store has found the confirmation. */
async function traced(via: string | undefined, decide: () => Promise<DecideResult>): Promise<DecideResult> {
  const startTime = Date.now();
  const result = await decide();
  if (result.status === 'not_found' || result.confirmation.prompt.traceparent === undefined) return result;
  const { decision } = result.confirmation;
  const attributes = decisionAttributes({ ...decision, via: via ?? decision.via });
  const span = startSpan('settle', result.confirmation, { startTime, attributes });
  if (result.status === 'already_resolved') failSpan(span, { code: 'ALREADY_RESOLVED' });
  span?.end();
  return result;
}
