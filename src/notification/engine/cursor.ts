/** Cursors come back from clients, who may send anything. */
import { InvalidMessageError } from '../notification.errors.js';

/** @throws InvalidMessageError for a cursor that is not of the form that a list gives */
export function checkCursor(cursor: string | undefined, form: RegExp): void {
  if (cursor !== undefined && !form.test(cursor)) throw new InvalidMessageError({ cursor: 'is none that this list gave' });
}
