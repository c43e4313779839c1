/**
 * The spans of a confirmation, named by OpenTelemetry's conventions for messaging. docs/traces.md lists them.
 *
 *  1. The span that creates a confirmation is the parent of all others, on whichever node and after whichever crash. A trace
 *     that was going on elsewhere is linked.
 *  2. Nothing is recorded without an OpenTelemetry SDK, and a confirmation without a trace costs one comparison.
 *  3. No user, no name of an application's channel and no text of a prompt becomes an attribute.
 *  4. An SDK that throws, such as a faulty sampler or span processor, fails no call. OpenTelemetry's `diag` gets the error.
 */
import {
  context,
  createContextKey,
  diag,
  INVALID_SPAN_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { fromSpanContext, toSpanContext, type TraceContext } from './trace-context.js';

/** What the spans of a confirmation need to know of it. */
export interface TracedConfirmation {
  callbackId: string;
  taskId: string;
  prompt: TraceContext;
}

/** What is done with a confirmation, and the span's kind. */
const OPERATIONS = {
  /** It is asked for. */
  create: SpanKind.PRODUCER,
  /** It is shown to connections, or sent to the webhook's receiver. */
  send: SpanKind.PRODUCER,
  /** A call waits for its decision. */
  receive: SpanKind.CLIENT,
  /** It is decided. */
  settle: SpanKind.CLIENT,
} as const;

/** The key of `suppressTracing` in `@opentelemetry/core`, which is a part of the SDK. */
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

const NO_TRACE: TraceContext = Object.freeze({});

interface SpanOptions {
  /** Where to. @default 'confirmations' */
  destination?: string;
  attributes?: Attributes;
  /** Unix milliseconds. @default now */
  startTime?: number;
}

/**
 * Begins to create a confirmation, in the trace that goes on in the calling code, or in the one that the caller gives.
 * Without an SDK the span carries the given place in a trace on, unchanged.
 */
export function startCreation(confirmation: TracedConfirmation): Span {
  const given = toSpanContext(confirmation.prompt);
  const active = trace.getActiveSpan()?.spanContext();
  // What goes on in the calling code is the closer parent, if both belong to one trace.
  const parent = given && active?.traceId !== given.traceId ? trace.setSpanContext(context.active(), given) : context.active();
  return start('create', confirmation, parent, {});
}

/** The place in a trace that a span is. */
export const contextOf = (span: Span): TraceContext => fromSpanContext(span.spanContext());

/** The call has found a confirmation that exists: its trace and this one are linked. */
export function reattach(span: Span, found: TracedConfirmation): void {
  const creation = toSpanContext(found.prompt);
  span.updateName('attach confirmations');
  span.setAttribute('messaging.operation.name', 'attach');
  // Absent before version 1.9 of the API.
  if (creation) (span as Partial<Pick<Span, 'addLink'>>).addLink?.({ context: creation });
}

/** @returns `undefined` for a confirmation without a trace */
export function startSpan(
  operation: 'send' | 'receive' | 'settle',
  confirmation: TracedConfirmation,
  options: SpanOptions = {},
): Span | undefined {
  if (confirmation.prompt.traceparent === undefined) return undefined;
  const creation = toSpanContext(confirmation.prompt);
  if (!creation) return undefined;
  return start(operation, confirmation, trace.setSpanContext(context.active(), creation), options);
}

/** A node has shown a prompt to connections. @param startTime Unix milliseconds */
export function recordSent(confirmation: TracedConfirmation, connections: number, startTime: number, redelivered = false): void {
  const attributes = { 'websocket_manager.connections': connections, 'websocket_manager.redelivered': redelivered };
  startSpan('send', confirmation, { startTime, attributes })?.end();
}

export const decisionAttributes = (decision: { outcome: string; proceed: boolean; via: string }): Attributes => ({
  'websocket_manager.outcome': decision.outcome,
  'websocket_manager.proceed': decision.proceed,
  'websocket_manager.via': decision.via,
});

export function failSpan(span: Span | undefined, error: unknown): void {
  const { code, name = 'unknown' } = error as { code?: string; name?: string };
  span?.setAttribute('error.type', code ?? name);
  span?.setStatus({ code: SpanStatusCode.ERROR });
}

/** Runs `work` as a part of the span: of its logs, and of the spans of libraries. */
export function within<T>(span: Span | undefined, work: () => T): T {
  return span ? context.with(trace.setSpan(context.active(), span), work) : work();
}

/**
 * Runs a request that carries the span's own `traceparent`. Instrumentation of `fetch` would add a second one, and two of
 * them are none.
 */
export function withOwnHeader<T>(span: Span | undefined, work: () => T): T {
  return span ? context.with(context.active().setValue(SUPPRESS_TRACING, true), work) : work();
}

/** Runs `work` in the trace that a caller names, unless the calling code is in one already. */
export function withinTrace<T>(caller: TraceContext, work: () => T): T {
  const given = toSpanContext(caller);
  if (!given || trace.getActiveSpan()) return work();
  return context.with(trace.setSpanContext(context.active(), given), work);
}

/** Where the calling code is in a trace. */
export function activeTrace(): TraceContext {
  const span = trace.getActiveSpan();
  return span ? contextOf(span) : NO_TRACE;
}

function start(
  operation: keyof typeof OPERATIONS,
  { callbackId, taskId }: TracedConfirmation,
  parent: Context,
  { destination = 'confirmations', attributes, startTime }: SpanOptions,
): Span {
  const active = trace.getActiveSpan()?.spanContext();
  const isElsewhere = active !== undefined && trace.getSpanContext(parent)?.spanId !== active.spanId;
  const span = safely(() =>
    trace.getTracer('websocket-manager').startSpan(
      `${operation} ${destination}`,
      {
        kind: OPERATIONS[operation],
        attributes: {
          'messaging.system': 'websocket_manager',
          'messaging.destination.name': destination,
          'messaging.operation.name': operation,
          'messaging.operation.type': operation,
          'messaging.message.id': callbackId,
          'messaging.message.conversation_id': taskId,
          ...attributes,
        },
        ...(isElsewhere && { links: [{ context: active }] }),
        ...(startTime !== undefined && { startTime }),
      },
      parent,
    ),
  );
  return harmless(span ?? trace.wrapSpanContext(trace.getSpanContext(parent) ?? INVALID_SPAN_CONTEXT));
}

/** A span whose methods never throw. One that is not recorded does nothing at all. */
function harmless(span: Span): Span {
  if (safely(() => span.isRecording()) === false) return span;
  return new Proxy(span, {
    get(_, name) {
      const member: unknown = Reflect.get(span, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => safely((): unknown => Reflect.apply(member, span, args));
    },
  });
}

function safely<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    diag.error('a span of websocket-manager failed', error);
    return undefined;
  }
}
