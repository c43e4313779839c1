/**
 * How large a frame may be: `maxPayload` bytes, and an answer (`confirm`) `ANSWER_ROOM` more, so that `edited` fits however
 * the client spells it.
 */
import { MAX_PROPOSAL_BYTES } from '../../protocol/confirmation.js';
import { isObject } from '../../protocol/decode.js';
import type { Connection } from '../connection/connection.js';

/** An `edited` of the largest size, where a client spells each character of two bytes as six (`\u00fc`). */
export const ANSWER_ROOM = 3 * MAX_PROPOSAL_BYTES;

/** Whether a frame above `maxPayload` is an answer of somebody who may answer. The text is at most `ANSWER_ROOM` longer. */
export function isLargeAnswer({ identity }: Connection, text: string): boolean {
  if (identity.kind === 'unauthenticated') return false;
  try {
    const frame: unknown = JSON.parse(text);
    return isObject(frame) && frame['action'] === 'confirm';
  } catch {
    return false;
  }
}
