/**
 * Every error that the module throws to its callers, each with the code that a client gets.
 * Any other error is a fault of the module: clients get `INTERNAL` and nothing of its contents.
 */
import { ERROR_STATUS, type ErrorCode } from '../protocol/codes.js';
import type { ConfirmationView, FieldErrors } from '../protocol/messages.js';

export interface ErrorDetails {
  fields?: FieldErrors;
  callbackId?: string;
  /** For `ALREADY_RESOLVED`: the decision that stands. */
  confirmation?: ConfirmationView;
  cause?: unknown;
  /** The HTTP status in REST. @default the code's own */
  status?: number;
}

/** An error with a code of the protocol. */
export class NotificationError extends Error {
  readonly fields?: FieldErrors;
  readonly callbackId?: string;
  readonly confirmation?: ConfirmationView;
  /** The HTTP status that carries this error in REST. */
  readonly status: number;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.fields = details.fields;
    this.callbackId = details.callbackId;
    this.confirmation = details.confirmation;
    this.status = details.status ?? ERROR_STATUS[code];
  }
}

/** Bad input; `fields` names what is wrong. */
export class InvalidMessageError extends NotificationError {
  constructor(fields: FieldErrors, message?: string) {
    super('INVALID_MESSAGE', message ?? describe(fields), { fields });
  }
}

/** The body has a type, an encoding or a character set that REST does not read. */
export class UnsupportedBodyError extends NotificationError {
  constructor(field: string, problem: string) {
    super('INVALID_MESSAGE', `${field}: ${problem}`, { fields: { [field]: problem }, status: 415 });
  }
}

/** An answer that does not fit its prompt; the prompt stays pending. */
export class InvalidAnswerError extends NotificationError {
  constructor(fields: FieldErrors, callbackId: string) {
    super('INVALID_ANSWER', describe(fields), { fields, callbackId });
  }
}

/** The answer's digest is not that of the pending prompt. */
export class StalePromptError extends NotificationError {
  constructor(callbackId: string) {
    super('STALE_PROMPT', 'the digest is not that of the pending prompt', { callbackId });
  }
}

export class NotFoundError extends NotificationError {
  constructor(what: string, callbackId?: string) {
    super('NOT_FOUND', `${what} not found`, { callbackId });
  }
}

/**
 * The engine lost the prompt in a fail-over, before a replica had it. Any answer to it is lost as well. Asking again makes a
 * new prompt, also with the same `key`.
 */
export class ConfirmationLostError extends NotFoundError {
  constructor(callbackId: string) {
    super('the confirmation was lost, and is', callbackId);
  }
}

/** The prompt was decided before; `confirmation` holds the decision. */
export class AlreadyResolvedError extends NotificationError {
  constructor(confirmation: ConfirmationView) {
    super('ALREADY_RESOLVED', 'confirmation already resolved', { confirmation, callbackId: confirmation.callback_id });
  }
}

/** The same `key` was used for a prompt with other contents. */
export class ConfirmationConflictError extends NotificationError {
  constructor(key: string) {
    super('CONFLICT', `key ${JSON.stringify(key)} is taken by a prompt with other contents`, {
      fields: { key: 'already used with other contents' },
    });
  }
}

/** The deadline passed and the prompt said `onTimeout: 'error'`. State `timed_out`, `proceed: false`. */
export class ConfirmationTimeoutError extends Error {
  override readonly name = 'ConfirmationTimeoutError';
  readonly outcome = 'timed_out';
  readonly proceed = false;
  constructor(readonly callbackId: string) {
    super(`confirmation ${callbackId} timed out`);
  }
}

/** The service is stopping; the prompt stays pending and can be re-attached to by its `key`. */
export class ServiceClosedError extends NotificationError {
  constructor() {
    super('UNAVAILABLE', 'the notification service is closed');
  }
}

/** The engine cannot be reached, or failed at a step it could not repeat. Nothing was decided. */
export class EngineUnavailableError extends NotificationError {
  constructor(message = 'the engine is unavailable', cause?: unknown) {
    super('UNAVAILABLE', message, { cause });
  }
}

/** The store has no room for new data. Answers and cancellations still work. */
export class StoreFullError extends NotificationError {
  constructor(cause?: unknown, message = 'the store is full: nothing new is taken until there is room') {
    super('STORE_FULL', message, { cause });
  }
}

/** The user has the largest allowed number of pending confirmations. Nothing was asked. */
export class TooManyPendingError extends StoreFullError {
  constructor(limit: number) {
    super(undefined, `the user has ${limit} pending confirmations, and one may have no more`);
  }
}

/** A setting or option that cannot be used. It stops the start with one line. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

function describe(fields: FieldErrors): string {
  return Object.entries(fields)
    .map(([name, problem]) => `${name}: ${problem}`)
    .join('; ');
}
