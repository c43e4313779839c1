/**
 * The demo: starts the real service on a free port, runs a three-step task (progress, a question after a simulated
 * failure, a result), and answers it from this terminal as a user's WebSocket client would.
 *
 *   npm run demo            asks you
 *   npm run demo -- --yes   answers by itself
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';
import 'reflect-metadata';
import { WebSocket } from 'ws';
import { portOf, startApp } from '../../src/app/app.js';
import { readConfig } from '../../src/app/app.config.js';
import { NotificationService } from '../../src/notification/index.js';
import type { Choice, TaskStepResult } from '../../src/protocol/index.js';

const USER = 'demo-user';
const TASK = 'demo-task';
const byItself = process.argv.includes('--yes');
const terminal = byItself ? undefined : createInterface({ input: process.stdin, output: process.stdout });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const app = await startApp(
  readConfig({
    WEBSOCKET_HOST: '127.0.0.1',
    WEBSOCKET_PORT: '0',
    WEBSOCKET_DATA_DIR: ':memory:',
    WEBSOCKET_LOG_LEVEL: 'error',
    WEBSOCKET_DRAIN_TIMEOUT: '0',
  }),
);
const port = portOf(app.getHttpServer() as Server);
say(`service  listening on ws://127.0.0.1:${port}/ws`);

const client = new WebSocket(`ws://127.0.0.1:${port}/ws`);
client.on('message', (data: Buffer) => void show(JSON.parse(data.toString()) as { type: string }));
await once(client, 'open');
client.send(JSON.stringify({ action: 'subscribe', user_id: USER }));

await runTask(app.get(NotificationService));

terminal?.close();
client.close();
await once(client, 'close');
await app.close();

/** The back-end code: what a worker of yours would do. */
async function runTask(notifications: NotificationService): Promise<void> {
  for (const progress of [0.25, 0.5, 0.75]) {
    await notifications.sendToUser(USER, { type: 'task_progress', task_id: TASK, progress, message: 'copying rows' });
    await delay(100);
  }
  say('task     step 2 failed (simulated); asking the user');
  const answer = await notifications.notifyUser(
    {
      step: 'load',
      message: 'Loading failed: connection reset. Try again?',
      status: 'failed',
      error_message: 'connection reset',
    },
    USER,
    TASK,
    2,
    {
      onTimeout: 'abort',
      choices: [
        { id: 'retry', label: 'Try again', proceed: true },
        { id: 'cancel', label: 'Give up', proceed: false },
      ],
    },
  );
  say(`task     got the answer: ${answer.choice ?? '-'} (proceed: ${answer.proceed}, outcome: ${answer.outcome})`);
  if (!answer.proceed) {
    await notifications.sendToUser(USER, { type: 'task_result', task_id: TASK, status: 'given up' });
    return;
  }
  await notifications.sendToUser(USER, { type: 'task_result', task_id: TASK, status: 'done', rows: 1234 });
}

/** The user's client: prints what comes, and answers prompts. */
async function show(message: { type: string } & Record<string, unknown>): Promise<void> {
  switch (message.type) {
    case 'task_progress':
      return say(`user     progress ${Math.round(Number(message['progress']) * 100)} %: ${String(message['message'])}`);
    case 'task_step_result':
      return answer(message as unknown as TaskStepResult);
    case 'task_result':
      return say(`user     result: ${String(message['status'])}`);
    default:
      return say(`user     ${message.type}`);
  }
}

async function answer({ callback_id, message, choices = [] }: TaskStepResult): Promise<void> {
  say(`user     is asked: ${message ?? ''}`);
  choices.forEach(({ id, label }, index) => say(`           ${index + 1}) ${label} (${id})`));
  const choice = await pick(choices);
  say(`user     answers: ${choice.id}`);
  client.send(JSON.stringify({ action: 'confirm', callback_id, choice: choice.id }));
}

async function pick(choices: Choice[]): Promise<Choice> {
  for (;;) {
    const typed = terminal ? await terminal.question(`Your choice (1-${choices.length}): `) : '1';
    const choice = choices[Number(typed) - 1] ?? choices.find(({ id }) => id === typed.trim());
    if (choice) return choice;
    say('           please type one of the numbers');
  }
}
