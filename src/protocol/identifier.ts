/**
 * Names of users, tasks, channels and keys: 1 to 256 characters of well-formed text without NUL. Stores cut text at a
 * NUL and replace lone surrogates: two names that differ here would be one there.
 */

export const MAX_IDENTIFIER_LENGTH = 256;
export const IDENTIFIER_TEXT = /^[^\0\p{Surrogate}]*$/u;

/** The name of a door by which an answer comes: see `via` of a decision. */
export const VIA_TEXT = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

export function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_IDENTIFIER_LENGTH && IDENTIFIER_TEXT.test(value);
}
