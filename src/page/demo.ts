/** A task like a worker's, by the same REST routes: it reports progress, asks, and goes on or stops. */
import type { NotificationClient } from '../client/index.js';

export interface DemoEvent {
  text: string;
  detail?: unknown;
}

interface DemoState {
  callback_id: string;
  state: string;
  proceed?: boolean;
  [field: string]: unknown;
}

const STEP_MS = 400;
/** Seconds for which a question is open. */
const TIMEOUT_S = 300;
const STEPS = ['Reading 12 tables', 'Copying 48 210 rows', 'Comparing checksums'];

/** @throws Error when the service refuses a step or cannot be reached */
export async function runDemo(client: NotificationClient, userId: string, note: (event: DemoEvent) => void): Promise<void> {
  const taskId = `try-it-${Date.now().toString(36)}`;
  const path = `ws/tasks/${taskId}/messages`;
  const progress = async (share: number, message: string): Promise<void> => {
    note({ text: `${Math.round(share * 100)} %: ${message}` });
    await send(path, { type: 'task_progress', progress: share, message });
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  };
  const leave = client.task(taskId, () => undefined);
  try {
    note({ text: 'A task starts, as one of your workers would.' });
    for (const [index, step] of STEPS.entries()) await progress((index + 1) / 5, step);
    note({ text: 'It needs a person, and asks you below. It waits for your answer.' });
    const decided = await ask(userId, taskId);
    note({ text: 'The task got this:', detail: decided });
    const { proceed = false } = decided;
    await progress(1, proceed ? 'The new table is live' : 'Stopped: nothing was changed');
    note({ text: proceed ? 'Finished: it went ahead, because you said yes.' : 'Finished: it stopped, because nobody said yes.' });
  } finally {
    leave();
  }
}

/** Asks, and waits for the decision over any number of long polls. */
async function ask(userId: string, taskId: string): Promise<DemoState> {
  const question = {
    user_id: userId,
    task_id: taskId,
    step: 1,
    title: 'Switch to the new table?',
    step_result: {
      step: 'switch',
      message: 'The copy is complete, and two rows differ. Readers see the new table as soon as you say yes.',
      status: 'waiting',
      result: { copied: 48_210, different: 2, ids: [1017, 20_444] },
    },
    timeout: TIMEOUT_S,
    on_timeout: 'abort',
  };
  let decided = await send('ws/confirmations?wait=25', question);
  while (decided.state === 'pending') decided = await read(`ws/confirmations/${decided.callback_id}?wait=25`);
  return decided;
}

const send = (path: string, body: object): Promise<DemoState> =>
  read(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

async function read(path: string, init?: RequestInit): Promise<DemoState> {
  const response = await fetch(path, init);
  const body = (await response.json()) as DemoState & { message?: string };
  if (!response.ok) throw new Error(body.message ?? `status ${response.status}`);
  return body;
}
