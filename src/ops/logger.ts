/**
 * Nest's logger on pino: single JSON lines to standard output, or to a file. pino escapes control characters, so that
 * no input can forge a line.
 */
import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import { ConfigurationError } from '../notification/index.js';

export interface LogSettings {
  level: string;
  file?: string;
}

export class PinoLogger implements LoggerService {
  private readonly pino: Logger;

  constructor({ level, file }: LogSettings) {
    this.pino = pino({ level, base: undefined }, pino.destination({ dest: file ?? 1, mkdir: true, sync: true }));
  }

  log(message: unknown, ...context: unknown[]): void {
    this.write('info', message, context);
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
  private write(level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal', message: unknown, context: unknown[]): void {
    // What a person can mend is one line, and main.ts prints it; Nest would log it with its stack.
    if (message instanceof ConfigurationError) return;
    const name = context.at(-1);
    const fields = typeof name === 'string' ? { context: name } : {};
    if (message instanceof Error) this.pino[level]({ ...fields, err: message }, message.message);
    else this.pino[level](fields, typeof message === 'string' ? message : JSON.stringify(message));
  }
}
