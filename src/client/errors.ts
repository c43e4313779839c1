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

/** Somebody, or the deadline, has decided before; `decision` is what counts. */
export class AlreadyResolvedError extends ServerError {
  override name = 'AlreadyResolvedError';

  constructor(
    frame: ErrorMessage,
    readonly decision: ConfirmationView,
  ) {
    super(frame);
  }
}

/** The client was closed, by its owner or by the server for good. What was asked may still have taken effect. */
export class ClientClosedError extends Error {
  override name = 'ClientClosedError';
}

export function errorOf(frame: ErrorMessage): ServerError {
  return frame.code === 'ALREADY_RESOLVED' && frame.confirmation
    ? new AlreadyResolvedError(frame, frame.confirmation)
    : new ServerError(frame);
}
