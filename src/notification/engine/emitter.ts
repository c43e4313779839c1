/** Emits an engine's events to the node's handler. A handler that throws does not keep other events from being emitted. */
import type { EngineHandler } from './engine-handler.js';

export interface EngineLogger {
  warn(message: string): void;
  error(message: string): void;
}

export class Emitter {
  private handler: EngineHandler | undefined;

  constructor(private readonly logger: EngineLogger) {}

  /** Events before this call are dropped. */
  attach(handler: EngineHandler): void {
    this.handler = handler;
  }

  /** @returns what the handler returned; `undefined` without a handler, or when it threw */
  emit<Result>(event: (handler: EngineHandler) => Result): Result | undefined {
    try {
      return this.handler && event(this.handler);
    } catch (error) {
      this.logger.error(`the handler of an event failed: ${String(error)}`);
      return undefined;
    }
  }

  /** Logs a failure of something that is tried again by itself. */
  report(what: string, error: unknown): void {
    this.logger.warn(`${what} failed: ${String(error)}`);
  }
}
