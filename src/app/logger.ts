/**
 * Nest's logger on pino: one JSON line an entry, with a level for each logger by its name, and with the trace in which it is
 * written. It never throws: a value that cannot be written is named in its place.
 */
import type { LoggerService } from '@nestjs/common';
import { isSpanContextValid, trace } from '@opentelemetry/api';
import { pino, type Logger } from 'pino';
import { ConfigurationError } from '../notification/index.js';

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type Level = (typeof LEVELS)[number];
type WrittenLevel = Exclude<Level, 'silent'>;

/** The lowest level that is written: for all loggers, and for single ones by their lower-case name. */
export interface LogLevels {
  all: Level;
  byLogger: ReadonlyMap<string, Level>;
}

/** Nest's own loggers, which list every part, route and action at each start: at `debug`. */
const OF_NEST = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
  'WebSocketsController',
]);

interface LoggerSettings {
  levels: LogLevels;
  /** Fields of every line. */
  base?: object;
  /** Takes one line with its line break. */
  write: (line: string) => void;
}

export class PinoLogger implements LoggerService {
  private readonly pino: Logger;
  private readonly levels: LogLevels;

  constructor({ levels, base, write }: LoggerSettings) {
    const lowest = Math.min(...[levels.all, ...levels.byLogger.values()].map((level) => LEVELS.indexOf(level)));
    this.levels = levels;
    this.pino = pino({ level: LEVELS[lowest] ?? levels.all, base }, { write });
  }

  log(message: unknown, ...context: unknown[]): void {
    this.write(OF_NEST.has(String(context.at(-1))) ? 'debug' : 'info', message, context);
  }

  warn(message: unknown, ...context: unknown[]): void {
    this.write('warn', message, context);
  }

  error(message: unknown, ...context: unknown[]): void {
    this.write('error', message, context);
  }

  fatal(message: unknown, ...context: unknown[]): void {
    this.write('fatal', message, context);
  }

  debug(message: unknown, ...context: unknown[]): void {
    this.write('debug', message, context);
  }

  verbose(message: unknown, ...context: unknown[]): void {
    this.write('trace', message, context);
  }

  /** Nest passes the logger's name last. */
  private write(level: WrittenLevel, message: unknown, context: unknown[]): void {
    // main.ts prints a configuration error as one line; Nest would log it with its stack.
    if (message instanceof ConfigurationError) return;
    const name = context.at(-1);
    const logger = typeof name === 'string' ? name : undefined;
    const threshold = this.levels.byLogger.get(logger?.toLowerCase() ?? '') ?? this.levels.all;
    if (LEVELS.indexOf(level) < LEVELS.indexOf(threshold)) return;
    const fields = { ...(logger !== undefined && { context: logger }), ...activeSpan() };
    try {
      this.put(level, fields, message);
    } catch (error) {
      this.pino[level](fields, `a log entry could not be written: ${String(error)}`);
    }
  }

  private put(level: WrittenLevel, fields: object, message: unknown): void {
    if (message instanceof Error) this.pino[level]({ ...fields, err: message }, message.message);
    else if (typeof message === 'object' && message !== null && !Array.isArray(message))
      this.pino[level](Object.assign({}, fields, message));
    else this.pino[level](fields, typeof message === 'string' ? message : JSON.stringify(message));
  }
}

/** The names are those of OpenTelemetry's own log appenders. */
function activeSpan(): { trace_id?: string; span_id?: string } {
  const span = trace.getActiveSpan()?.spanContext();
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
}
