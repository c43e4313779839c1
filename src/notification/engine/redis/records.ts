/** Confirmations and tasks as they are stored in Redis and as they travel in replies and messages. */
import type { Json, JsonObject, OnTimeout } from '../../../protocol/confirmation.js';
import type { Confirmation, Decided, Decision, Prompt, Task } from '../engine.js';
import { EngineUnavailableError } from '../../notification.errors.js';
import { storedVia } from '../via.js';
import { anyList, fields, number, optional, text } from './reply-decoder.js';

/** In the order in which a record travels: FIELDS in `lua/includes/record.lua` is the same list. */
export const RECORD_FIELDS = [
  'id',
  'user',
  'task',
  'step',
  'prompt',
  'created',
  'expires',
  'on_timeout',
  'on_timeout_by',
  'state',
  'order',
  'decided',
  'proceed',
  'feedback',
  'choice',
  'values',
  'answered_by',
  'reason',
  'fingerprint',
  'task_version',
  'via',
  'edited',
  'seen',
  'dismissed_until',
  'applied_by',
] as const;

type RecordField = (typeof RECORD_FIELDS)[number];

const POSITION = Object.fromEntries(RECORD_FIELDS.map((field, index) => [field, index])) as Record<RecordField, number>;

/** A stored confirmation, read field by field: a list reads more of them than it returns. */
export class ConfirmationRecord {
  constructor(private readonly values: readonly unknown[]) {}

  get isDecided(): boolean {
    return this.values[POSITION.state] !== 'pending';
  }

  /** Its place among all confirmations of its partition. */
  get order(): number {
    return number(this.values[POSITION.order]);
  }

  /** The node that is responsible for a decision by the clock; absent for other decisions. */
  get appliedBy(): string | undefined {
    return this.get('applied_by');
  }

  toConfirmation(): Confirmation {
    const expires = this.get('expires');
    const state = this.need('state') as Confirmation['state'];
    const asked = {
      callbackId: this.need('id'),
      userId: this.need('user'),
      taskId: this.need('task'),
      step: Number(this.need('step')),
      prompt: JSON.parse(this.need('prompt')) as Prompt,
      createdAt: Number(this.need('created')),
      expiresAt: expires === undefined ? null : Number(expires),
      onTimeout: this.need('on_timeout') as OnTimeout,
      ...withoutUnset({ seenAt: this.number('seen'), dismissedUntil: this.number('dismissed_until') }),
    };
    if (state === 'pending') return { state, ...asked };
    const [values, edited] = [this.get('values'), this.get('edited')];
    const decision: Decision = {
      outcome: state,
      proceed: this.need('proceed') === '1',
      ...withoutUnset({
        feedback: this.get('feedback'),
        choice: this.get('choice'),
        values: values === undefined ? undefined : (JSON.parse(values) as JsonObject),
        edited: edited === undefined ? undefined : (JSON.parse(edited) as Json),
        answeredBy: this.get('answered_by'),
        reason: this.get('reason'),
      }),
      via: storedVia(this.get('via'), state),
      decidedAt: Number(this.need('decided')),
    };
    return { state, decision, ...asked };
  }

  private get(field: RecordField): string | undefined {
    const value = this.values[POSITION[field]];
    return typeof value === 'string' ? value : undefined;
  }

  private number(field: RecordField): number | undefined {
    return optional(number)(this.values[POSITION[field]]);
  }

  private need(field: RecordField): string {
    return text(this.values[POSITION[field]]);
  }
}

export const record = (reply: unknown): ConfirmationRecord => new ConfirmationRecord(anyList(reply));

export const confirmation = (reply: unknown): Confirmation => record(reply).toConfirmation();

export function decided(stored: ConfirmationRecord): Decided {
  const found = stored.toConfirmation();
  if (found.state === 'pending') throw new EngineUnavailableError('Redis answered a pending confirmation as decided');
  return found;
}

export interface TaskRecord {
  /** Absent: no task of this id is known. */
  task: Task | undefined;
  version: string;
  cancelledBy: string | undefined;
  cancelledVia: string | undefined;
}

const taskFields = fields({
  id: optional(text),
  user: optional(text),
  cancelled: optional(number),
  by: optional(text),
  reason: optional(text),
  version: optional(text),
  via: optional(text),
});

/** A task as `lua/includes/task-record.lua` replies it. */
export function taskRecord(reply: unknown): TaskRecord {
  return toTaskRecord(reply, undefined);
}

/** The task of an event: its record, and the user whom the canceller named while the task was nobody's. */
export function taskOfEvent(payload: unknown): Task | undefined {
  const [stored, namedUser] = anyList(payload);
  return toTaskRecord(stored, optional(text)(namedUser)).task;
}

function toTaskRecord(reply: unknown, namedUserId: string | undefined): TaskRecord {
  const { id, user, cancelled, by, reason, version, via } = taskFields(reply);
  const task =
    id === undefined
      ? undefined
      : {
          taskId: id,
          userId: user ?? null,
          cancelled: cancelled !== undefined,
          ...withoutUnset({ cancelledAt: cancelled, reason, namedUserId }),
        };
  return { task, version: version ?? '0', cancelledBy: by, cancelledVia: via };
}

function withoutUnset<T extends object>(values: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: Exclude<T[Name], undefined>;
  };
}
