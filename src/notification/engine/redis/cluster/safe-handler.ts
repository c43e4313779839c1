/** Speaks to the node's handler. A handler must not throw; one that does must not keep the others' events from being told. */
import type { EngineHandler } from '../../engine.js';
import type { Logger } from '../connection/error-log.js';

export class Teller {
  handler: EngineHandler | undefined;

  constructor(private readonly logger: Logger) {}

  tell<Result>(how: (handler: EngineHandler) => Result): Result | undefined {
    try {
      return this.handler && how(this.handler);
    } catch (error) {
      this.logger.error(`the handler of an event failed: ${String(error)}`);
      return undefined;
    }
  }

  /** Something that is tried again by itself. */
  report(what: string, error: unknown): void {
    this.logger.warn(`${what} failed: ${String(error)}`);
  }
}
