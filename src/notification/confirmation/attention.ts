/** What a user does about a prompt without deciding it: a device has shown it, or the user hides it for a while. */
import type { DismissRefusal } from '../engine/deadlines.js';
import type { Confirmation, ConfirmationStore } from '../engine/confirmation-store.js';
import type { Scope } from '../engine/scope.js';
import { AlreadyResolvedError, InvalidMessageError, NotFoundError } from '../notification.errors.js';
import { confirmationView } from './presentation.js';

/** By why a dismissal is refused: what is wrong with `until`. */
const UNTIL: Record<DismissRefusal, string> = {
  warned: 'cannot be granted: the warning before the deadline has come, and nothing would show the prompt again',
  endless: 'is required: no warning before a deadline is to come',
  too_soon: 'must be at least a minute from now',
};

/** Records when a device first showed a prompt. @throws NotFoundError */
export async function markSeen(store: ConfirmationStore, callbackId: string, scope: Scope): Promise<Confirmation> {
  const confirmation = await store.markSeen(callbackId, scope);
  if (!confirmation) throw new NotFoundError('confirmation', callbackId);
  return confirmation;
}

/**
 * Hides a prompt from its user's devices until `until`, at the latest until the warning before its deadline.
 * @param until Unix milliseconds, at least a minute from now; required where there is no deadline
 * @throws NotFoundError, AlreadyResolvedError, InvalidMessageError (`until`), also after the warning
 */
export async function dismiss(
  store: ConfirmationStore,
  callbackId: string,
  scope: Scope,
  until: number | undefined,
): Promise<Confirmation> {
  const result = await store.dismiss({ callbackId, scope, until });
  switch (result.status) {
    case 'dismissed':
      return result.confirmation;
    case 'already_resolved':
      throw new AlreadyResolvedError(confirmationView(result.confirmation));
    case 'not_found':
      throw new NotFoundError('confirmation', callbackId);
    default:
      throw new InvalidMessageError({ until: UNTIL[result.status] });
  }
}
