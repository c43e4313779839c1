/** A log line with the fields by which all lines of one connection, task or confirmation are found. */
import { inspect } from 'node:util';

export interface LogFields {
  callback_id?: string;
  task_id?: string;
  connection?: string;
  /** A fault, with its stack. */
  err?: unknown;
}

/** A logger of JSON writes its fields. Nest's own logger, which prints text, prints the text alone. */
export class LogLine implements LogFields {
  declare callback_id?: string;
  declare task_id?: string;
  declare connection?: string;
  declare err?: unknown;

  constructor(
    readonly msg: string,
    fields: LogFields,
  ) {
    Object.assign(this, fields);
  }

  [inspect.custom](): string {
    return this.err instanceof Error ? (this.err.stack ?? this.msg) : this.msg;
  }
}
