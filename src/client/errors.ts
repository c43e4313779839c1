/** What a promise of the client can reject with. */
import type { ErrorCode } from '../protocol/codes.js';
import type { ConfirmationView, ErrorMessage, FieldErrors } from '../protocol/messages.js';

/** An error that the server answered; `code` says which. */
export class ServerError extends Error {
  override name = 'ServerError';
  readonly code: ErrorCode;
  /** Field name -> what is wrong with it. */
  readonly fields: FieldErrors | undefined;

  constructor({ code, message, fields }: Pick<ErrorMessage, 'code' | 'message' | 'fields'>) {
    super(message);
    this.code = code;
    this.fields = fields;
  }
}

/** Another answer, a cancellation or the deadline has decided before; `decision` is what counts. */
export class AlreadyResolvedError extends ServerError {
  override name = 'AlreadyResolvedError';

  constructor(
    frame: ErrorMessage,
    readonly decision: ConfirmationView,
  ) {
    super(frame);
  }
}

/**
 * The client was closed, by the application or by the server for good. What was asked may have taken effect: the
 * connection can have broken between the server's step and its reply.
 */
export class ClientClosedError extends Error {
  override name = 'ClientClosedError';
}

/** More requests wait for a connection than the client keeps. */
export class TooManyRequestsError extends Error {
  override name = 'TooManyRequestsError';
}

/** The server takes no frame as large as this request: send less, or use REST, which takes more. */
export class RequestTooLargeError extends Error {
  override name = 'RequestTooLargeError';
}

/** A request that ends with its connection has lost it. */
export class ConnectionLostError extends Error {
  override name = 'ConnectionLostError';
}

export function errorOf(frame: ErrorMessage): ServerError {
  return frame.code === 'ALREADY_RESOLVED' && frame.confirmation
    ? new AlreadyResolvedError(frame, frame.confirmation)
    : new ServerError(frame);
}

/** Whether the server could not say yet: the same again later may get another reply. */
export const isTemporary = ({ code }: { code: ErrorCode }): boolean => ['UNAVAILABLE', 'BUSY', 'RATE_LIMITED'].includes(code);
