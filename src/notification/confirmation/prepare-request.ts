/**
 * What back-end code asks, checked and made complete: `notifyUser`'s arguments become an engine's `OpenRequest`.
 */
import { createHash, type Hash } from 'node:crypto';
import { canonicalize } from '../../protocol/canonical-json.js';
import { z } from 'zod';
import {
  MAX_PROPOSAL_BYTES,
  type Choice,
  type InputSchema,
  type Json,
  type JsonObject,
  type OnTimeout,
  type StepResult,
} from '../../protocol/confirmation.js';
import { isObject } from '../../protocol/decode.js';
import { asFields, within } from '../../protocol/json.js';
import { IDENTIFIER_TEXT, isIdentifier, MAX_IDENTIFIER_LENGTH } from '../../protocol/identifier.js';
import type { FieldErrors } from '../../protocol/messages.js';
import type { OpenRequest, Prompt } from '../engine/engine.js';
import { InvalidMessageError } from '../notification.errors.js';
import { isTraceparent, isTracestate } from '../tracing/trace-context.js';
import { toJson } from '../validation/to-json.js';
import { newCallbackId } from './callback-id.js';
import { findFormFault } from './form.js';
import { plainForm } from './plain-form.js';
import { shownFields } from './presentation.js';

/** Options of `notifyUser`. */
export interface NotifyUserOptions {
  /** How long the prompt waits, in milliseconds; `null`: for ever. @default the setting `callbackTimeoutMs` (300 000) */
  timeoutMs?: number | null;
  /** What the deadline decides; `error` rejects the call with `ConfirmationTimeoutError`. @default the setting `timeoutDecision` ('proceed') */
  onTimeout?: OnTimeout;
  /** Something that cannot be undone: no deadline may answer it with yes. */
  risk?: 'irreversible';
  choices?: Choice[];
  /** A form; the answer's `values` are checked against it. Clients get it in its plain form: see PROTOCOL.md. */
  inputSchema?: InputSchema;
  title?: string;
  /** Carried through to the client, at most 8 KiB. */
  metadata?: JsonObject;
  /** Unique per user: a second call with the same key waits for the same prompt, or returns its decision. */
  key?: string;
  /** What the user is to approve: a command, a mail, arguments. Any JSON but `null`, at most 64 KiB. @default none */
  proposal?: Json;
  /** Whether an answer may carry `edited`, a full replacement of `proposal`. Needs a `proposal`. @default false */
  editable?: boolean;
  /**
   * Where the call belongs in a trace, as W3C Trace Context has it: `00-<trace id>-<span id>-<flags>`. It is carried to clients
   * and webhooks, and is no part of what `key` compares. @default the span that is active, if the process has an OpenTelemetry SDK
   */
  traceparent?: string;
  /** Beside `traceparent`: at most 512 printable ASCII characters. */
  tracestate?: string;
  /** Aborting withdraws the prompt, for every caller that waits on it. One that is aborted already throws its reason. */
  signal?: AbortSignal;
}

export interface AskRequest extends NotifyUserOptions {
  stepResult: StepResult;
  userId: string;
  taskId: string;
  step: number;
}

export interface AskDefaults {
  callbackTimeoutMs: number;
  timeoutDecision: OnTimeout;
}

const MAX_METADATA_BYTES = 8192;
const MAX_PROMPT_BYTES = 1_048_576;
/** Some 31 years; beyond it a sum with the clock may lose its milliseconds' meaning. */
export const MAX_TIMEOUT_MS = 1_000_000_000_000;

/** Names of users, tasks, keys and channels. */
const identifier = z
  .string()
  .min(1, 'must not be empty')
  .max(MAX_IDENTIFIER_LENGTH, `must have at most ${MAX_IDENTIFIER_LENGTH} characters`)
  .regex(IDENTIFIER_TEXT, 'must be well-formed Unicode without NUL');

/** @throws InvalidMessageError naming the field */
export function checkIdentifier(name: string, value: unknown): void {
  if (isIdentifier(value)) return;
  const parsed = identifier.safeParse(value);
  if (!parsed.success) throw new InvalidMessageError({ [name]: parsed.error.issues[0]?.message ?? 'invalid' });
}

const choice = z.strictObject({ id: identifier, label: z.string(), proceed: z.boolean() });

/** An object that `toJson` has made; nobody need walk it again. */
const jsonObject = z.custom<JsonObject>(isObject, 'must be an object');
const json = z.custom<Json>((value) => value !== undefined && value !== null, 'must be JSON other than null');

const text = z.string().nullish();

const stepResult = z.strictObject({
  step: text,
  message: z.string().min(1, 'must not be empty'),
  status: text,
  result: z.unknown().optional(),
  completed: z.boolean().nullish(),
  error_code: z.union([z.string(), z.number()]).nullish(),
  error_message: text,
});

const schema = z.strictObject({
  stepResult,
  userId: identifier,
  taskId: identifier,
  step: z.int(),
  timeoutMs: z.number().positive().max(MAX_TIMEOUT_MS).nullish(),
  onTimeout: z.enum(['proceed', 'abort', 'error']).optional(),
  risk: z.literal('irreversible').optional(),
  choices: z.array(choice).min(1).max(100).optional(),
  inputSchema: jsonObject.optional(),
  title: z.string().max(1024).optional(),
  metadata: jsonObject.optional(),
  proposal: json.optional(),
  editable: z.boolean().optional(),
  key: identifier.optional(),
  traceparent: z.string().refine(isTraceparent, 'must be a traceparent of W3C Trace Context').optional(),
  tracestate: z.string().refine(isTracestate, 'must have 1 to 512 printable ASCII characters').optional(),
});

/**
 * @throws InvalidMessageError naming the fields, in TypeScript's spelling
 */
export function prepare(request: AskRequest, defaults: AskDefaults): OpenRequest {
  const { signal: _signal, ...contents } = request;
  const given = toJson(contents, 'stepResult');
  const parsed = schema.safeParse(given, { error: ({ input }) => (input === undefined ? 'is required' : undefined) });
  if (!parsed.success) throw new InvalidMessageError(fieldErrors(parsed.error));
  const { userId, taskId, step, timeoutMs = defaults.callbackTimeoutMs, onTimeout, key, ...shown } = parsed.data;
  if (shown.inputSchema) shown.inputSchema = plainForm(shown.inputSchema);
  const prompt = shown as unknown as Prompt;
  check(prompt, onTimeout);
  if (prompt.risk === 'irreversible') prompt.digest = digestOf(shownFields({ userId, taskId, step, prompt }));
  // `risk` means that only the caller could have said yes beforehand, and `check` has just refused that.
  const bySetting = prompt.risk === 'irreversible' && defaults.timeoutDecision === 'proceed' ? 'abort' : defaults.timeoutDecision;
  return {
    callbackId: newCallbackId(),
    userId,
    taskId,
    step,
    prompt,
    timeoutMs: timeoutMs == null ? timeoutMs : Math.ceil(timeoutMs),
    onTimeout: onTimeout ?? bySetting,
    onTimeoutBy: onTimeout === undefined ? 'setting' : 'caller',
    key,
    fingerprint: key === undefined ? undefined : fingerprint({ userId, taskId, step, onTimeout, ...contentsOf(prompt) }),
  };
}

function check(prompt: Prompt, onTimeout: OnTimeout | undefined): void {
  const fields: FieldErrors = {};
  if (prompt.risk === 'irreversible' && onTimeout === 'proceed') {
    fields['onTimeout'] = "must not be 'proceed' for a prompt with risk 'irreversible'";
  }
  const ids = prompt.choices?.map(({ id }) => id) ?? [];
  if (new Set(ids).size < ids.length) fields['choices'] = 'ids must be unique';
  if (prompt.metadata && byteLength(prompt.metadata) > MAX_METADATA_BYTES)
    fields['metadata'] = `must have at most ${MAX_METADATA_BYTES} bytes`;
  if (prompt.proposal !== undefined && byteLength(prompt.proposal) > MAX_PROPOSAL_BYTES)
    fields['proposal'] = `must have at most ${MAX_PROPOSAL_BYTES} bytes`;
  if (prompt.editable && prompt.proposal === undefined) fields['editable'] = 'needs a proposal';
  if (byteLength(prompt) > MAX_PROMPT_BYTES) fields['stepResult'] = `the prompt must have at most ${MAX_PROMPT_BYTES} bytes`;
  if (prompt.inputSchema) {
    const fault = findFormFault(prompt.inputSchema);
    if (fault) Object.assign(fields, asFields(within('inputSchema', fault), 'inputSchema'));
  }
  if (Object.keys(fields).length > 0) throw new InvalidMessageError(fields);
}

/** What a repeated call must repeat: everything but the trace that it belongs to. */
function contentsOf({ traceparent: _traceparent, tracestate: _tracestate, ...contents }: Prompt): object {
  return contents;
}

function fingerprint(contents: object): string {
  return sha256(contents).digest('base64url');
}

/** What an answer to an irreversible prompt must echo. PROTOCOL.md gives the canonical form. */
function digestOf(shown: object): string {
  return sha256(shown).digest('hex');
}

/** Over RFC 8785's canonical JSON. */
function sha256(contents: object): Hash {
  return createHash('sha256').update(canonicalize(contents) ?? '');
}

const byteLength = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** The fields that a schema has found fault with, dotted. */
export function fieldErrors(error: z.ZodError): FieldErrors {
  return Object.fromEntries(error.issues.map((issue) => [issue.path.join('.') || '(root)', issue.message]));
}
