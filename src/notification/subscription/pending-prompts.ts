/**
 * Reads pending prompts for a reply.
 *
 *  1. A prompt that is decided meanwhile is left out: its `confirmation_resolved` precedes the reply, and a client that
 *     finds it listed afterwards would show it for ever.
 *  2. A prompt that is opened meanwhile is added: it is shown before the reply, and a client removes what the reply does
 *     not list.
 */
import { Inject, Injectable } from '@nestjs/common';
import { taskChannel, userChannel } from '../../protocol/channels.js';
import { readPage } from '../confirmation/confirmation-page.js';
import { PAGE_BYTES, type Confirmation, type Page, type Scope } from '../engine/engine.js';
import { ConfirmationStore } from '../engine/confirmation-store.js';

/** How many of a task's pending prompts a reply names; it names all of a user's. */
const MAX_TASK_PENDING = 1000;
/** Rows read at once: only their ids are needed, but the prompts may be large. */
const TASK_PENDING_ROWS = 50;

type Opened = Pick<Confirmation, 'userId' | 'taskId'>;

/** What happened to prompts, on any node, since a reading began. */
export class PromptChanges {
  private readonly opened = new Map<string, Opened>();
  private readonly decided = new Set<string>();

  onOpened(callbackId: string, opened: Opened): void {
    this.opened.set(callbackId, opened);
  }

  onDecided(callbackId: string): void {
    this.opened.delete(callbackId);
    this.decided.add(callbackId);
  }

  isDecided(callbackId: string): boolean {
    return this.decided.has(callbackId);
  }

  /**
   * @param channel its name
   * @param listed ids that the engine listed as pending in the channel
   * @param userId whose prompts the reader is shown; absent: everybody's
   * @returns the ids that are pending now
   */
  apply(channel: string, userId: string | undefined, listed: readonly string[]): string[] {
    const pending = new Set(listed);
    for (const [callbackId, prompt] of this.opened) {
      const isShown = userId === undefined || userId === prompt.userId;
      const isIn = channel === userChannel(prompt.userId) || channel === taskChannel(prompt.taskId);
      if (isShown && isIn) pending.add(callbackId);
    }
    return [...pending].filter((callbackId) => !this.decided.has(callbackId));
  }
}

@Injectable()
export class PendingPrompts {
  private readonly underWay = new Set<PromptChanges>();

  constructor(@Inject(ConfirmationStore) private readonly store: ConfirmationStore) {}

  /** A prompt was opened, on whichever node. It has not been shown yet. */
  onOpened({ callbackId, userId, taskId }: Confirmation): void {
    for (const changes of this.underWay) changes.onOpened(callbackId, { userId, taskId });
  }

  /** A prompt was decided, on whichever node. */
  onDecided(callbackId: string): void {
    for (const changes of this.underWay) changes.onDecided(callbackId);
  }

  /** Runs `read`, and notes for it what happens to prompts meanwhile. */
  async whileNoting<Result>(read: (changes: PromptChanges) => Promise<Result>): Promise<Result> {
    const changes = new PromptChanges();
    this.underWay.add(changes);
    try {
      return await read(changes);
    } finally {
      this.underWay.delete(changes);
    }
  }

  /** A page of pending prompts: at most `limit`, and fewer once they have `PAGE_BYTES`. */
  page(scope: Scope, limit: number, from?: string): Promise<Page<Confirmation>> {
    return this.whileNoting(async (changes) => {
      const { items, cursor } = await readPage(this.store, { scope, state: 'pending', limit, cursor: from }, PAGE_BYTES);
      return { items: items.filter(({ callbackId }) => !changes.isDecided(callbackId)), cursor };
    });
  }

  /** The ids of a task's pending prompts, oldest first, about `MAX_TASK_PENDING` of them. */
  async idsOfTask(scope: Scope, taskId: string): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.store.list({ scope, taskId, state: 'pending', limit: TASK_PENDING_ROWS, cursor });
      ids.push(...page.items.map(({ callbackId }) => callbackId));
      cursor = page.cursor;
    } while (cursor !== undefined && ids.length < MAX_TASK_PENDING);
    return ids;
  }
}
