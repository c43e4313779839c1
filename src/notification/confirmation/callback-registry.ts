/**
 * Keeps the waiters of this node by `callback_id`. It decides nothing.
 */
import type { Decided } from '../engine/confirmation-store.js';

export interface Waiter {
  /** Resolves with the decided confirmation, `undefined` when the waiting time is over; rejects when the registry closes. */
  readonly decided: Promise<Decided | undefined>;
  /** The prompt is stored, under this id: a key may have led to an earlier one. From now on it can be lost. */
  found(callbackId: string): void;
  /** Waits no more; `decided` resolves with `undefined`. */
  leave(): void;
}

interface Entry {
  /** Whether the prompt has been seen. */
  found: boolean;
  resolve(confirmation: Decided | undefined): void;
  reject(error: Error): void;
}

export class CallbackRegistry {
  private readonly byPrompt = new Map<string, Set<Entry>>();

  /** Prompts that somebody on this node waits for. */
  get callbackIds(): string[] {
    return [...this.byPrompt.keys()];
  }

  has(callbackId: string): boolean {
    return this.byPrompt.has(callbackId);
  }

  wait(callbackId: string): Waiter {
    let current = callbackId;
    const { promise, resolve, reject } = withResolvers<Decided | undefined>();
    const entry: Entry = { found: false, resolve, reject };
    this.add(current, entry);
    return {
      decided: promise,
      found: (id) => {
        entry.found = true;
        if (id === current) return;
        this.remove(current, entry);
        current = id;
        this.add(current, entry);
      },
      leave: () => {
        this.remove(current, entry);
        resolve(undefined);
      },
    };
  }

  settle(confirmation: Decided): void {
    const entries = this.byPrompt.get(confirmation.callbackId);
    this.byPrompt.delete(confirmation.callbackId);
    for (const entry of entries ?? []) entry.resolve(confirmation);
  }

  /** Call this before reading a prompt. The returned function rejects the waiters that had seen it; others keep waiting. */
  loser(callbackId: string): (error: Error) => void {
    const entries = [...(this.byPrompt.get(callbackId) ?? [])].filter(({ found }) => found);
    return (error) => {
      for (const entry of entries) {
        this.remove(callbackId, entry);
        entry.reject(error);
      }
    };
  }

  rejectAll(error: Error): void {
    const entries = [...this.byPrompt.values()];
    this.byPrompt.clear();
    for (const set of entries) for (const entry of set) entry.reject(error);
  }

  private add(callbackId: string, entry: Entry): void {
    const entries = this.byPrompt.get(callbackId);
    if (entries) entries.add(entry);
    else this.byPrompt.set(callbackId, new Set([entry]));
  }

  private remove(callbackId: string, entry: Entry): void {
    const entries = this.byPrompt.get(callbackId);
    if (entries?.delete(entry) && entries.size === 0) this.byPrompt.delete(callbackId);
  }
}

/** `Promise.withResolvers`, which Node has from 22 on. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // A caller that awaits it gets the rejection; a waiter whose `open` failed first is not awaited any more.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
