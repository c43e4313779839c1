/**
 * The border: text from a socket or a body becomes a value, or a `DecodeError` that says what is wrong.
 *
 * Past this point a value is what the text says, digit for digit: at most `MAX_DEPTH` deep, of well-formed text, without
 * `__proto__`, without a field that is given twice. A handler's DTO checks the rest. Only a `ping` may hold any number: the
 * adapter echoes its text.
 */
import type { ErrorCode } from './codes.js';
import { findLoss } from './exact.js';
import { asFields, findFault, NEGATIVE_ZERO, NOT_EXACT, type JsonFault } from './json.js';
import type { ClientMessage } from './actions.js';
import type { FieldErrors, RequestId } from './messages.js';

export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly fields?: FieldErrors,
    readonly requestId?: RequestId,
  ) {
    super(message);
  }
}

const NUMBER_FAULTS: ReadonlySet<string> = new Set([NOT_EXACT, NEGATIVE_ZERO]);

/** @throws DecodeError */
export function decodeFrame(text: string): ClientMessage {
  const value = parse(text);
  if (!isObject(value)) throw new DecodeError('INVALID_MESSAGE', 'a frame must be a JSON object');
  const requestId = value['request_id'];
  const isPing = value['action'] === 'ping';
  if (requestId !== undefined && !isRequestId(requestId)) {
    throw new DecodeError('INVALID_MESSAGE', 'request_id: must be a string or a number', {
      request_id: 'must be a string or a number',
    });
  }
  const fault = findFault(value) ?? findLoss(text, value);
  if (fault && !(isPing && NUMBER_FAULTS.has(fault.problem))) throw invalid(fault, '(frame)', requestId);
  const action = value['action'];
  if (typeof action !== 'string') {
    const problem = action === undefined ? 'is required' : 'must be a string';
    throw new DecodeError('INVALID_MESSAGE', `action: ${problem}`, { action: problem }, requestId);
  }
  return value as ClientMessage;
}

/** The `request_id` of a frame that is not decoded; `undefined` where it has none that a reply could carry. */
export function requestIdOf(text: string | undefined): RequestId | undefined {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    const requestId = isObject(value) ? value['request_id'] : undefined;
    return isRequestId(requestId) && findFault(requestId) === undefined ? requestId : undefined;
  } catch {
    return undefined;
  }
}

/** The value of a REST body. @throws DecodeError */
export function decodeBody(text: string): unknown {
  const value = parse(text);
  const fault = findFault(value) ?? findLoss(text, value);
  if (fault) throw invalid(fault, '(body)');
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DecodeError('INVALID_JSON', 'Invalid JSON format');
  }
}

function invalid(fault: JsonFault, root: string, requestId?: RequestId): DecodeError {
  const fields = asFields(fault, root);
  const [[name, problem] = ['', '']] = Object.entries(fields);
  return new DecodeError('INVALID_MESSAGE', `${name}: ${problem}`, fields, requestId);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRequestId(value: unknown): value is RequestId {
  // A reply cannot carry 1e999, nor repeat an integer that was rounded.
  return typeof value === 'string' || (typeof value === 'number' && findFault(value) === undefined);
}
