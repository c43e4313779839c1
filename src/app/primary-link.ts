/** A worker's link to the process that started it. */
import { primaryMessage, type PrimaryMessage, type WorkerMessage } from './worker-messages.js';

type Type = PrimaryMessage['type'];

/** That process answers at once; a collection of metrics takes up to 3 s. */
const ANSWER_WITHIN_MS = 4000;

export class PrimaryLink {
  private readonly waiting = new Map<number, (answer: PrimaryMessage) => void>();
  private readonly listeners = new Map<Type, (id: number) => void>();
  private lastId = 0;

  constructor() {
    process.on('message', (message: unknown) => {
      const parsed = primaryMessage.safeParse(message);
      if (!parsed.success) return;
      const { type, id } = parsed.data;
      const listener = this.listeners.get(type);
      if (listener) listener(id);
      else this.waiting.get(id)?.(parsed.data);
    });
  }

  /** Takes messages of a type that answers nothing. */
  on(type: Type, listener: (id: number) => void): void {
    this.listeners.set(type, listener);
  }

  newId(): number {
    return (this.lastId += 1);
  }

  send(message: WorkerMessage): void {
    process.send?.(message);
  }

  /** @returns `undefined` when there is no answer of that type in time */
  async request<T extends Type>(message: WorkerMessage, type: T): Promise<Extract<PrimaryMessage, { type: T }> | undefined> {
    const { id } = message;
    const answer = await new Promise<PrimaryMessage | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_WITHIN_MS);
      this.waiting.set(id, (received) => {
        clearTimeout(timer);
        resolve(received);
      });
      this.send(message);
    });
    this.waiting.delete(id);
    return answer?.type === type ? (answer as Extract<PrimaryMessage, { type: T }>) : undefined;
  }
}
