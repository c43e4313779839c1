/** Replies of scripts, and messages of theirs, in the engine's words. What does not look as expected is a fault. */
import type { JsonObject, OnTimeout } from '../../../protocol/confirmation.js';
import { EngineUnavailableError } from '../../notification.errors.js';
import type { Confirmation, Decision, Prompt, Task } from '../engine.js';
import { storedVia } from '../via.js';
import { FIELDS } from './scripts/confirmation.js';

export type Reply = unknown;

export function list(reply: Reply): readonly Reply[] {
  if (!Array.isArray(reply)) throw new EngineUnavailableError(`Redis answered ${typeof reply} where a list was expected`);
  return reply;
}

export function text(reply: Reply): string {
  if (typeof reply !== 'string') throw new EngineUnavailableError(`Redis answered ${typeof reply} where text was expected`);
  return reply;
}

/** Scripts reply nil, messages `false`, for what is unset. */
export const maybe = (reply: Reply): string | undefined => (typeof reply === 'string' ? reply : undefined);

/** Of a flat list, so many at a time. */
export function* groups(reply: Reply, size: number): Generator<readonly Reply[]> {
  const items = list(reply);
  for (let start = 0; start + size <= items.length; start += size) yield items.slice(start, start + size);
}

export function toConfirmation(reply: Reply): Confirmation {
  const values = list(reply);
  const at = (field: (typeof FIELDS)[number]): string | undefined => maybe(values[FIELDS.indexOf(field)]);
  const need = (field: (typeof FIELDS)[number]): string => text(values[FIELDS.indexOf(field)]);
  const expires = at('expires');
  const state = need('state') as Confirmation['state'];
  const confirmation: Confirmation = {
    callbackId: need('id'),
    userId: need('user'),
    taskId: need('task'),
    step: Number(need('step')),
    prompt: JSON.parse(need('prompt')) as Prompt,
    createdAt: Number(need('created')),
    expiresAt: expires === undefined ? null : Number(expires),
    onTimeout: need('on_timeout') as OnTimeout,
    state,
  };
  if (state === 'pending') return confirmation;
  const given = at('values');
  const decision: Decision = {
    callbackId: confirmation.callbackId,
    userId: confirmation.userId,
    taskId: confirmation.taskId,
    outcome: state,
    proceed: need('proceed') === '1',
    ...optionals({
      feedback: at('feedback'),
      choice: at('choice'),
      values: given === undefined ? undefined : (JSON.parse(given) as JsonObject),
      answeredBy: at('answered_by'),
      reason: at('reason'),
    }),
    via: storedVia(at('via'), state),
    decidedAt: Number(need('decided')),
  };
  return { ...confirmation, decision };
}

/** Of a record. */
export const isDecided = (record: Reply): boolean => list(record)[FIELDS.indexOf('state')] !== 'pending';

/** A record's place among all of its partition. */
export const orderOf = (record: Reply): number => Number(text(list(record)[FIELDS.indexOf('order')]));

export interface TaskRecord {
  task: Task | undefined;
  version: string;
  cancelledBy: string | undefined;
  cancelledVia: string | undefined;
}

export function toTaskRecord(reply: Reply, named?: Reply): TaskRecord {
  const [id, user, cancelled, by, reason, version, via] = list(reply);
  const taskId = maybe(id);
  const at = maybe(cancelled);
  const task =
    taskId === undefined
      ? undefined
      : {
          taskId,
          userId: maybe(user) ?? null,
          cancelled: at !== undefined,
          ...optionals({
            cancelledAt: at === undefined ? undefined : Number(at),
            reason: maybe(reason),
            namedUserId: maybe(named),
          }),
        };
  return { task, version: maybe(version) ?? '0', cancelledBy: maybe(by), cancelledVia: maybe(via) };
}

export function optionals<T extends object>(fields: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: Exclude<T[Name], undefined>;
  };
}
