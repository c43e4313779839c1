/**
 * Remembers what the frames of a connection that are in work decide. Their replies carry the decision, so the announcement
 * that the other connections get is withheld. It is sent only if no reply carries the decision.
 */
import { AlreadyResolvedError } from '../notification.errors.js';
import type { OutboundFrame } from './frame.js';

export type Subject = 'confirmation' | 'task';

/** What some frames of the connection decide. */
interface Decided {
  frames: number;
  announcement?: OutboundFrame;
  /** Whether a reply carries the decision. */
  isReplied: boolean;
}

export class Deciding {
  private readonly underWay: Readonly<Record<Subject, Map<string, Decided>>> = { confirmation: new Map(), task: new Map() };

  async run<Result>(
    subject: Subject,
    id: string,
    work: () => Promise<Result>,
    send: (announcement: OutboundFrame) => void,
  ): Promise<Result> {
    const underWay = this.underWay[subject];
    const decided = underWay.get(id) ?? { frames: 0, isReplied: false };
    decided.frames += 1;
    underWay.set(id, decided);
    try {
      const result = await work();
      decided.isReplied = true;
      return result;
    } catch (error) {
      decided.isReplied ||= error instanceof AlreadyResolvedError;
      throw error;
    } finally {
      decided.frames -= 1;
      if (decided.frames === 0) {
        underWay.delete(id);
        if (decided.announcement && !decided.isReplied) send(decided.announcement);
      }
    }
  }

  /** @returns whether the announcement is kept back */
  keeps(subject: Subject, id: string, announcement: OutboundFrame): boolean {
    const decided = this.underWay[subject].get(id);
    if (decided) decided.announcement = announcement;
    return decided !== undefined;
  }
}
