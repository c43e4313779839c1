/** A webhook's body. It is the same at every attempt. */
import { confirmationView, inboxEntry } from '../confirmation/presentation.js';
import type { WebhookEvent } from '../engine/event-queue.js';
import { taskView } from '../task/presentation.js';
import { Date } from '../pacing/time-source.js';

/** @param publicUrl of the service, without a slash at its end; absent: the body has no `url` */
export function webhookBody({ at, event, subject }: WebhookEvent, publicUrl?: string): string {
  return JSON.stringify({ type: event, timestamp: new Date(at).toISOString(), data: dataOf(subject, publicUrl) });
}

function dataOf(subject: WebhookEvent['subject'], publicUrl: string | undefined): object {
  switch (subject.kind) {
    case 'confirmation': {
      const { confirmation } = subject;
      if (confirmation.state !== 'pending') return confirmationView(confirmation);
      const url = publicUrl && `${publicUrl}/?confirmation=${encodeURIComponent(confirmation.callbackId)}`;
      return { ...inboxEntry(confirmation), url };
    }
    case 'task':
      return taskView(subject.task);
    default:
      return subject satisfies never;
  }
}
