/**
 * The border: text or bytes from a socket become a `ClientFrame`, or a `DecodeError` that says what is wrong.
 *
 * Past this point a frame is an object with a string `action`, at most `MAX_DEPTH` deep, of well-formed text and without
 * `__proto__`; whatever walks, compares or stores it afterwards (validators, canonical JSON, a database) is safe. A handler's DTO checks the rest.
 */
import type { ErrorCode } from './codes.js';
import type { ClientFrame, FieldErrors, RequestId } from './messages.js';

/** How deep objects and arrays may nest. */
export const MAX_DEPTH = 64;
const LONE_SURROGATE = /\p{Surrogate}/u;

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

/** @throws DecodeError */
export function decodeFrame(text: string): ClientFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DecodeError('INVALID_JSON', 'Invalid JSON format');
  }
  if (!isObject(value)) throw new DecodeError('INVALID_MESSAGE', 'a frame must be a JSON object');
  const requestId = value['request_id'];
  if (requestId !== undefined && !isRequestId(requestId)) {
    throw new DecodeError('INVALID_MESSAGE', 'request_id: must be a string or a number', {
      request_id: 'must be a string or a number',
    });
  }
  const problem = findStructuralProblem(value, 1);
  if (problem) throw new DecodeError('INVALID_MESSAGE', problem, undefined, requestId);
  const action = value['action'];
  if (typeof action !== 'string') {
    throw new DecodeError('INVALID_MESSAGE', 'action: must be a string', { action: 'must be a string' }, requestId);
  }
  return value as ClientFrame;
}

/** What makes a parsed value unfit to be walked or stored: too deep, a key that poisons prototypes, half a character. */
export function findStructuralProblem(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'string') return LONE_SURROGATE.test(value) ? 'text must be well-formed Unicode' : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_DEPTH) return `nested more than ${MAX_DEPTH} levels deep`;
  if (Object.hasOwn(value, '__proto__')) return 'the field name __proto__ is not allowed';
  for (const [name, child] of Object.entries(value)) {
    const problem = findStructuralProblem(name) ?? findStructuralProblem(child, depth + 1);
    if (problem) return problem;
  }
  return undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRequestId(value: unknown): value is RequestId {
  // 1e999 is a number that no reply can carry.
  return typeof value === 'string' || Number.isFinite(value);
}
