/** Pages of lists, and the opaque cursors that lead from one page to the next. */
import { InvalidMessageError } from '../notification.errors.js';

export interface Page<T> {
  items: T[];
  /** Present when there is more; give it back to read the next page. */
  cursor?: string;
}

/**
 * Cursors come back from clients, which may send anything.
 * @param form of the cursors that the list gives
 * @throws InvalidMessageError for a cursor of another form
 */
export function checkCursor(cursor: string | undefined, form: RegExp): void {
  if (cursor !== undefined && !form.test(cursor)) throw new InvalidMessageError({ cursor: 'is none that this list gave' });
}
