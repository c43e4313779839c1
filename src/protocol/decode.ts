/**
 * The border: text or bytes from a socket become a `ClientFrame`, or a `DecodeError` that says what is wrong.
 *
 * Past this point a frame is an object with a string `action`, at most `MAX_DEPTH` deep and without `__proto__`;
 * whatever walks it recursively afterwards (validators, JSON.stringify) is safe. A handler's DTO checks the rest.
 */
import type { ErrorCode } from './codes.js';
import type { ClientFrame, FieldErrors, RequestId } from './messages.js';

/** How deep objects and arrays may nest. */
export const MAX_DEPTH = 64;

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

/** What makes a parsed value unfit to be walked: too deep, or a key that poisons prototypes. */
export function findStructuralProblem(value: unknown, depth = 0): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_DEPTH) return `nested more than ${MAX_DEPTH} levels deep`;
  if (Object.hasOwn(value, '__proto__')) return 'the field name __proto__ is not allowed';
  for (const child of Object.values(value)) {
    const problem = findStructuralProblem(child, depth + 1);
    if (problem) return problem;
  }
  return undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || typeof value === 'number';
}
