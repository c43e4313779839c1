/** What a user does about a prompt without deciding it: a device has shown it, or the user hides it for a while. */
import { warningAfter } from '../engine/deadlines.js';
import { isDecided, type Confirmation, type ConfirmationStore } from '../engine/confirmation-store.js';
import type { Scope } from '../engine/scope.js';
import { AlreadyResolvedError, InvalidMessageError, NotFoundError } from '../notification.errors.js';
import { confirmationView } from './presentation.js';

const MIN_DISMISSAL_MS = 60_000;

/** Records when a device first showed a prompt. @throws NotFoundError */
export async function markSeen(store: ConfirmationStore, callbackId: string, scope: Scope): Promise<Confirmation> {
  return found(await store.markSeen(callbackId, scope), callbackId);
}

/**
 * Hides a prompt from its user's devices until `until`, or until the warning before its deadline.
 * @param until Unix milliseconds, at least a minute from `now`; required where no warning is to come
 * @throws NotFoundError, AlreadyResolvedError, InvalidMessageError (`until`)
 */
export async function dismiss(
  store: ConfirmationStore,
  callbackId: string,
  scope: Scope,
  until: number | undefined,
  now: number,
): Promise<Confirmation> {
  const known = await store.get(callbackId);
  const prompt = known && (scope === 'all' || scope.includes(known.userId)) ? known : undefined;
  const end = endOfDismissal(pending(found(prompt, callbackId)), until, now);
  return pending(found(await store.dismiss(callbackId, scope, end), callbackId));
}

function found(confirmation: Confirmation | undefined, callbackId: string): Confirmation {
  if (!confirmation) throw new NotFoundError('confirmation', callbackId);
  return confirmation;
}

function pending(confirmation: Confirmation): Confirmation {
  if (isDecided(confirmation)) throw new AlreadyResolvedError(confirmationView(confirmation));
  return confirmation;
}

function endOfDismissal({ createdAt, expiresAt }: Confirmation, until: number | undefined, now: number): number {
  if (until !== undefined) {
    if (until < now + MIN_DISMISSAL_MS) throw new InvalidMessageError({ until: 'must be at least a minute from now' });
    return until;
  }
  const warningAt = expiresAt === null ? 0 : createdAt + warningAfter(expiresAt - createdAt);
  if (warningAt <= now) throw new InvalidMessageError({ until: 'is required: no warning before a deadline is to come' });
  return warningAt;
}
