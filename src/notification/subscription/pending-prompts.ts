/**
 * Reads pending prompts for a reply. A prompt that is decided meanwhile is left out: the client would get the reply after
 * the frame that announces the decision, and show the prompt for ever.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ChangesWhileReading, type ReadingNotes } from '../connection/changes-while-reading.js';
import { PAGE_BYTES, type Confirmation, type Page, type Scope } from '../engine/engine.js';
import { ConfirmationStore } from '../engine/confirmation-store.js';

/** How many of a task's pending prompts a reply names; it names all of a user's. */
const MAX_TASK_PENDING = 1000;
/** Rows read at once: only their ids are needed, but the prompts may be large. */
const TASK_PENDING_ROWS = 50;
/** Rows read at once for `pending`: the page ends once it has its bytes. */
const PENDING_ROWS = 20;

@Injectable()
export class PendingPrompts {
  private readonly decisions = new ChangesWhileReading();

  constructor(@Inject(ConfirmationStore) private readonly store: ConfirmationStore) {}

  /** A prompt was decided, on whichever node. */
  onDecided(callbackId: string): void {
    this.decisions.note(callbackId);
  }

  /** @param read leaves out of its result what `decided` has */
  async whileNoting<Result>(read: (decided: ReadingNotes) => Promise<Result>): Promise<Result> {
    const decided = this.decisions.begin();
    try {
      return await read(decided);
    } finally {
      decided.end();
    }
  }

  /** A page of pending prompts: at most `limit`, and fewer once they have `PAGE_BYTES`. */
  page(scope: Scope, limit: number, from?: string): Promise<Page<Confirmation>> {
    return this.whileNoting(async (decided) => {
      const items: Confirmation[] = [];
      let cursor = from;
      let bytes = 0;
      do {
        const page = await this.store.list({
          scope,
          state: 'pending',
          limit: Math.min(limit - items.length, PENDING_ROWS),
          cursor,
        });
        items.push(...page.items);
        bytes += JSON.stringify(page.items).length;
        cursor = page.cursor;
      } while (cursor !== undefined && items.length < limit && bytes < PAGE_BYTES);
      return { items: items.filter(({ callbackId }) => !decided.has(callbackId)), cursor };
    });
  }

  /** The ids of a task's pending prompts, oldest first, about `MAX_TASK_PENDING` of them. */
  idsOfTask(scope: Scope, taskId: string): Promise<string[]> {
    return this.whileNoting(async (decided) => {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await this.store.list({ scope, taskId, state: 'pending', limit: TASK_PENDING_ROWS, cursor });
        ids.push(...page.items.map(({ callbackId }) => callbackId));
        cursor = page.cursor;
      } while (cursor !== undefined && ids.length < MAX_TASK_PENDING);
      return ids.filter((callbackId) => !decided.has(callbackId));
    });
  }
}
