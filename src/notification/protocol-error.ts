/**
 * Turns any error into what a client gets: never a stack, an internal message or the input.
 */
import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import { ERROR_STATUS, type ErrorCode } from '../protocol/codes.js';
import { DecodeError } from '../protocol/decode.js';
import type { ErrorMessage, RequestId } from '../protocol/messages.js';
import { toSeconds } from '../protocol/time.js';
import { NotificationError } from './notification.errors.js';
import { Date } from './pacing/time-source.js';

export function errorMessage(error: unknown, requestId?: RequestId): ErrorMessage {
  const { code, message, fields, callbackId, confirmation } = asProtocolError(error);
  return {
    type: 'error',
    code,
    message,
    timestamp: toSeconds(Date.now()),
    request_id: requestId,
    callback_id: callbackId,
    fields,
    confirmation,
  };
}

/** Whether an error is a fault of the module, to be logged, and not the client's. */
export function isFault(error: unknown): boolean {
  return asProtocolError(error).code === 'INTERNAL';
}

/** Errors of a host app's guards, pipes and filters are mapped by their HTTP status. */
export function asProtocolError(
  error: unknown,
): Pick<NotificationError, 'code' | 'message' | 'fields' | 'callbackId' | 'confirmation'> & { status?: number } {
  if (error instanceof NotificationError) return error;
  if (error instanceof DecodeError) return { code: error.code, message: error.message, fields: error.fields };
  if (error instanceof HttpException) {
    if (error.cause instanceof Error && error.cause.name === 'SyntaxError')
      return { code: 'INVALID_JSON', message: 'Invalid JSON format' };
    const code = codeOfStatus(error.getStatus());
    // Messages of Express may quote the input.
    if (error.cause !== undefined) return { code, message: STATUS_CODES[error.getStatus()]?.toLowerCase() ?? INTERNAL_MESSAGE };
    return { code, message: code === 'INTERNAL' ? INTERNAL_MESSAGE : error.message };
  }
  return { code: 'INTERNAL', message: INTERNAL_MESSAGE };
}

const INTERNAL_MESSAGE = 'internal error';

function codeOfStatus(status: number): ErrorCode {
  if (status === 400) return 'INVALID_MESSAGE';
  const [code] = (Object.keys(ERROR_STATUS) as ErrorCode[]).filter((name) => ERROR_STATUS[name] === status);
  return code ?? (status < 500 ? 'INVALID_MESSAGE' : 'INTERNAL');
}
