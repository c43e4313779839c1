/**
 * The logs of the stand-alone service: single JSON lines to standard output, to a file as well, and an audit trail in a
 * file of its own. A terminal gets readable lines in their place. None of them ever stops, delays or ends the service (`log-sink.ts`).
 */
import { statSync, type Stats } from 'node:fs';
import { isatty } from 'node:tty';
import { type AuditEntry } from '../notification/index.js';
import { printable } from '../notification/service-door.js';
import { LogSink } from './log-sink.js';
import { LogFile, StandardOutput, type LogTarget } from './log-target.js';
import { PinoLogger, type LogLevels } from './logger.js';
import { readableLine } from './readable-line.js';

export interface LogSettings {
  levels: LogLevels;
  file?: string;
  auditFile?: string;
  /** Names the process in its lines, where several write the same log. */
  worker?: number;
}

const WARN = 40;
const STDOUT = 1;

export class Logs {
  readonly logger: PinoLogger;
  /** Takes the audit trail; absent without a file for it. */
  readonly audit?: (entry: AuditEntry) => void;
  private readonly sinks = new Map<string, LogSink>();
  private readonly files: string[];

  constructor({ levels, file, auditFile, worker }: LogSettings) {
    const base = worker === undefined ? undefined : { worker };
    const lossLine = (count: number, reason: string): string =>
      line({ level: WARN, time: Date.now(), ...base, context: 'Logs', msg: `${count} lines of this log were lost: ${reason}` });
    const onScreen = isatty(STDOUT) ? readableText : asIs;
    const screen = this.add('stdout', new StandardOutput(), (count, reason) => onScreen(lossLine(count, reason)));
    const sinks: LogSink[] = [];
    if (file !== undefined) sinks.push(this.add('file', new LogFile(file), lossLine));
    this.files = [file, auditFile].filter((path) => path !== undefined);
    this.logger = new PinoLogger({
      levels,
      base,
      write: (text) => {
        const safe = `${printable(text.trimEnd())}\n`;
        screen.write(onScreen(safe));
        for (const sink of sinks) sink.write(safe);
      },
    });
    if (auditFile === undefined) return;
    const trail = this.add('audit', new LogFile(auditFile), (count, reason) =>
      line({ at: Date.now(), event: 'lost', by: null, means: 'service', what: `${count} entries: ${reason}` }),
    );
    this.audit = (entry) => {
      // An entry that its file does not take at once is in the log as well: memory alone is no trail.
      if (!trail.write(line(entry))) this.logger.error(entry, 'Audit');
    };
  }

  /** Lines lost since the start, by log. */
  get lost(): ReadonlyMap<string, number> {
    return new Map([...this.sinks].map(([name, sink]) => [name, sink.lost]));
  }

  /** Bytes that are kept because a log does not take them, by log. */
  get waitingBytes(): ReadonlyMap<string, number> {
    return new Map([...this.sinks].map(([name, sink]) => [name, sink.waitingBytes]));
  }

  /** Warns of log files that other users of the machine can read; one that does not exist yet is made private. */
  warnOfWideFiles(): void {
    for (const path of this.files) {
      const stat = statOf(path);
      if (stat?.isFile() !== true || (stat.mode & 0o077) === 0) continue;
      const mode = (stat.mode & 0o777).toString(8);
      this.logger.warn(`${path} has mode ${mode}: other users can reach it. chmod 600 closes it.`, 'Logs');
    }
  }

  close(): void {
    for (const sink of this.sinks.values()) sink.close();
  }

  private add(name: string, target: LogTarget, lossLine: (count: number, reason: string) => string): LogSink {
    const onTrouble = (path: string, reason: string): void =>
      this.logger.error(`${path} cannot be written: ${reason}. The service goes on, and counts the lines that it loses.`, 'Logs');
    const sink = new LogSink(target, { lossLine, onTrouble });
    this.sinks.set(name, sink);
    return sink;
  }
}

const asIs = (text: string): string => text;
const readableText = (text: string): string => readableLine(text, process.env['NO_COLOR'] === undefined);
const line = (value: object): string => `${printable(JSON.stringify(value))}\n`;

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // Its first line reports why it cannot be used.
  }
}
