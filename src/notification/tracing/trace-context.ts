/**
 * W3C Trace Context: the place in a trace at which a confirmation was asked. It is stored with the confirmation and carried
 * to clients and webhooks, with and without an OpenTelemetry SDK in the process.
 */
import { createTraceState, isSpanContextValid, TraceFlags, type SpanContext } from '@opentelemetry/api';

export interface TraceContext {
  /** `00-<trace id>-<span id>-<flags>`, in lower-case hexadecimal. */
  traceparent?: string;
  /** What tracing systems add to it: at most 512 characters. */
  tracestate?: string;
}

/** Version 00 has exactly these fields. Later versions may add fields, which are dropped. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-((?!0{32})[\da-f]{32})-((?!0{16})[\da-f]{16})-([\da-f]{2})(-.*)?$/;
const MAX_TRACEPARENT_LENGTH = 256;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

export function isTraceparent(text: string): boolean {
  return parseTraceparent(text) !== undefined;
}

export function isTracestate(text: string): boolean {
  return TRACESTATE.test(text);
}

/** Of two headers, as W3C has it: what cannot be read is dropped, and `tracestate` means nothing alone. */
export function readTraceContext(traceparent: string | undefined, tracestate: string | undefined): TraceContext {
  if (traceparent === undefined || !isTraceparent(traceparent)) return {};
  return { traceparent, ...(tracestate !== undefined && isTracestate(tracestate) && { tracestate }) };
}

/** @returns `undefined` without a trace */
export function toSpanContext({ traceparent, tracestate }: TraceContext): SpanContext | undefined {
  const parsed = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  if (!parsed) return undefined;
  return { ...parsed, isRemote: true, ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }) };
}

/** @returns an empty object for a span that belongs to no trace */
export function fromSpanContext(context: SpanContext): TraceContext {
  if (!isSpanContextValid(context)) return {};
  const { traceId, spanId, traceFlags, traceState } = context;
  const tracestate = traceState?.serialize();
  const flags = traceFlags & TraceFlags.SAMPLED ? '01' : '00';
  return { traceparent: `00-${traceId}-${spanId}-${flags}`, ...(tracestate && { tracestate }) };
}

/** The labels of an exemplar: none without a trace, and for one that is not recorded. */
export function exemplarOf({ traceparent }: TraceContext): { trace_id?: string; span_id?: string } {
  const parsed = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  if (!parsed || !(parsed.traceFlags & TraceFlags.SAMPLED)) return {};
  return { trace_id: parsed.traceId, span_id: parsed.spanId };
}

function parseTraceparent(text: string): SpanContext | undefined {
  const [, version, traceId, spanId, flags = '', rest] = (text.length <= MAX_TRACEPARENT_LENGTH && TRACEPARENT.exec(text)) || [];
  if (traceId === undefined || spanId === undefined || (version === '00' && rest !== undefined)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED };
}
