/** A failure that the worker reports, as the error that the engine throws. */
import {
  ConfigurationError,
  ConfirmationConflictError,
  EngineUnavailableError,
  StoreFullError,
  TooManyPendingError,
} from '../../notification.errors.js';
import type { Failure } from './store-protocol.js';

export function errorOf(failure: Failure): Error {
  switch (failure.kind) {
    case 'conflict':
      return new ConfirmationConflictError(failure.key);
    case 'crowded':
      return new TooManyPendingError(failure.limit);
    case 'full':
      return new StoreFullError(failure.message);
    case 'refused':
      return new ConfigurationError(failure.message);
    case 'unavailable':
      return new EngineUnavailableError('the engine failed at a step it could not repeat', failure.message);
    default:
      return failure satisfies never;
  }
}
