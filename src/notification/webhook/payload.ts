/** A webhook's body. It is the same at every attempt. */
import { confirmationView } from '../confirmation/view.js';
import type { Notice } from '../engine/engine.js';
import { taskView } from '../task/view.js';

export function webhookBody({ at, subject }: Notice): string {
  const timestamp = new Date(at).toISOString();
  switch (subject.kind) {
    case 'confirmation': {
      const { confirmation } = subject;
      return JSON.stringify({ type: `confirmation.${confirmation.state}`, timestamp, data: confirmationView(confirmation) });
    }
    case 'task': {
      const { task } = subject;
      return JSON.stringify({ type: task.cancelled ? 'task.cancelled' : 'task.resumed', timestamp, data: taskView(task) });
    }
    default:
      return subject satisfies never;
  }
}
