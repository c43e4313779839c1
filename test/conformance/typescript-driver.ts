/** Drives `websocket-manager/client`, as it is or with the planted deviation that `CONFORMANCE_DEVIATION` names. */
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { AlreadyResolvedError, connect } from '../../src/client/index.js';
import type { NotificationClient, SocketConstructor } from '../../src/client/index.js';
import { DEVIATIONS, deviatingSocket, type Command, type Deviation } from './deviations.js';

const deviation: Deviation = DEVIATIONS[process.env['CONFORMANCE_DEVIATION'] ?? '']?.create() ?? {};
if (deviation.random) Math.random = deviation.random;

const say = (event: Record<string, unknown>): void => {
  for (const one of deviation.event?.(event) ?? [event]) process.stdout.write(`${JSON.stringify(one)}\n`);
};

class Driving {
  private release: () => void = () => undefined;
  private shown = new Set<string>();
  private readonly client: NotificationClient;

  constructor({ url = '', channels = [], user_id: userId, tokens = [], quiet_ms: quietMs = 1000 }: Command) {
    const left = [...tokens];
    this.client = connect(url, {
      WebSocket: deviatingSocket(WebSocket as unknown as SocketConstructor, deviation, say),
      ...(tokens.length > 0 ? { token: () => left.shift() ?? '' } : { userId }),
      quietMs: deviation.quietMs ?? quietMs,
      silenceMs: quietMs,
      onError: (error) => say({ event: 'error', message: String(error) }),
    });
    for (const channel of channels) this.client.channel(channel, () => undefined);
    this.client.on('n', ({ type, number }) => say({ event: 'message', type, number }));
    this.client.on('letter', async ({ type, number }) => {
      say({ event: 'message', type, number });
      await new Promise<void>((resolve) => (this.release = resolve));
    });
    this.client.onGap((channel) => say({ event: 'gap', channel }));
    this.client.onState(({ status }) => {
      if (status === 'closed') say({ event: 'closed' });
    });
    this.client.confirmations.subscribe(() => this.onList());
  }

  do(command: Command): void {
    if (command.do === 'release') this.release();
    else if (command.do === 'close') this.client.close();
    else if (command.do === 'dismiss') this.client.confirmations.dismiss(command.callback_id ?? '').catch(() => undefined);
    else if (command.do === 'answer') void this.answer(command);
  }

  private async answer({ callback_id: callbackId = '', proceed }: Command): Promise<void> {
    say({ event: 'did', do: 'answer' });
    if (deviation.dropsAnswer && this.client.state.status !== 'open') return;
    try {
      await this.client.confirmations.answer(callbackId, { proceed });
      say({ event: 'answered', callback_id: callbackId });
    } catch (error) {
      const state = error instanceof AlreadyResolvedError ? error.decision.state : undefined;
      say({ event: 'rejected', callback_id: callbackId, state });
    }
  }

  private onList(): void {
    const now = new Set(this.client.confirmations.getSnapshot().map(({ callback_id }) => callback_id));
    for (const id of now) if (!this.shown.has(id)) say({ event: 'asked', callback_id: id });
    for (const id of this.shown) if (!now.has(id)) say({ event: 'gone', callback_id: id });
    this.shown = now;
  }
}

let driving: Driving | undefined;
createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as Command;
  if (command.do === 'connect') driving = new Driving(command);
  else driving?.do(command);
});
