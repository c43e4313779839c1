/**
 * Remembers what the current frame of a connection decides. Its reply carries the decision, so the announcement that the
 * other connections get is withheld. It is sent only if the reply is an error without the decision.
 */
import { AlreadyResolvedError } from '../notification.errors.js';
import type { OutboundFrame } from './frame.js';

export type Subject = 'confirmation' | 'task';

export class Deciding {
  private current: { subject: Subject; id: string; announcement?: OutboundFrame } | undefined;

  async run<Result>(
    subject: Subject,
    id: string,
    work: () => Promise<Result>,
    send: (announcement: OutboundFrame) => void,
  ): Promise<Result> {
    const current: typeof this.current = { subject, id };
    this.current = current;
    try {
      return await work();
    } catch (error) {
      if (current.announcement && !(error instanceof AlreadyResolvedError)) send(current.announcement);
      throw error;
    } finally {
      this.current = undefined;
    }
  }

  /** @returns whether the announcement is kept back */
  keeps(subject: Subject, id: string, announcement: OutboundFrame): boolean {
    if (this.current?.subject !== subject || this.current.id !== id) return false;
    this.current.announcement = announcement;
    return true;
  }
}
