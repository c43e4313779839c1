/** Checks frames against the AsyncAPI document that the service serves. */
import type { ValidateFunction } from 'ajv';
import { isReservedType } from '../../src/protocol/messages.js';
import * as compiled from './frame-validators.js';

const validators = compiled as unknown as Record<string, ValidateFunction | undefined>;

/** @throws Error for a frame that a client may not send by the document */
export function checkSent(text: string): void {
  const frame = parse(text);
  const action = String(frame['action']);
  check(validators[`client_${action}`], `the action ${action}`, frame);
}

/** @throws Error for a frame that the service may not send by the document */
export function checkReceived(text: string): void {
  const frame = parse(text);
  const type = String(frame['type']);
  const own = validators[`server_${type}`];
  // An application's messages may have the types of these two replies, which name a confirmation.
  const isReply = (type !== 'seen' && type !== 'dismissed') || 'callback_id' in frame;
  const validate = isReply ? own : undefined;
  check(validate ?? (isReservedType(type) ? undefined : validators['server_message']), `the type ${type}`, frame);
}

/** Lets a check of what arrives fail the test that is running, and the socket go on. */
export function report(checked: () => void): void {
  try {
    checked();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function parse(text: string): Record<string, unknown> {
  const frame = JSON.parse(text) as unknown;
  if (typeof frame !== 'object' || frame === null) throw new Error(`the frame is no object: ${text}`);
  return frame as Record<string, unknown>;
}

function check(validate: ValidateFunction | undefined, what: string, frame: object): void {
  if (validate?.(frame)) return;
  const text = JSON.stringify(frame).slice(0, 500);
  if (!validate) throw new Error(`the AsyncAPI document does not know ${what}: ${text}`);
  const [fault] = validate.errors ?? [];
  throw new Error(
    `the AsyncAPI document has ${what} otherwise: ${fault?.instancePath} ${fault?.message} ${JSON.stringify(fault?.params)}: ${text}`,
  );
}
