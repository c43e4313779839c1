/**
 * A user's device with the client library, as an application uses it: it answers every question and acknowledges every
 * message. What its application got is counted here; coming back, recovering and sending again is the library's.
 */
import { connect, type NotificationClient, type SocketConstructor } from '../../src/client/index.js';
import { PlainSocket } from './library-user.js';

/** What the user says to question `n`: the back-end knows it, too. */
export const answerTo = (n: number): { proceed: boolean; feedback: string } => ({ proceed: n % 2 === 0, feedback: `to ${n}` });

export class RollingUser {
  readonly client: NotificationClient;
  readonly acknowledged = new Set<number>();
  readonly counts = { answers: 0, acceptedAnswers: 0, connects: 0, gaps: 0, repetitions: 0 };
  /** Close codes of connections that were open. */
  readonly closes: number[] = [];
  /** Why attempts to connect failed. */
  readonly refusals: string[] = [];
  /** Errors with which answers ended, and what the library reported. */
  readonly errors: string[] = [];
  /** Answers that were given and have no reply. */
  openAnswers = 0;
  private readonly numbers: Record<string, Set<number>>;
  private readonly subscribed: Promise<unknown>;

  constructor(
    readonly id: string,
    url: string,
  ) {
    const channels = [`user:${id}`, 'broadcast'];
    this.numbers = Object.fromEntries(channels.map((channel) => [channel, new Set<number>()]));
    this.client = connect(`${url}/ws`, {
      WebSocket: PlainSocket as unknown as SocketConstructor,
      userId: id,
      silenceMs: 30_000,
      onError: (error) => this.errors.push(String(error)),
    });
    let isOpen = false;
    this.client.onState((state) => {
      if (state.status === 'open') this.counts.connects += 1;
      else if (state.status === 'waiting') {
        if (isOpen) this.closes.push(state.code);
        else this.refusals.push(state.reason);
      }
      isOpen = state.status === 'open';
    });
    this.client.onGap(() => (this.counts.gaps += 1));
    this.client.on('bill', ({ n }) => this.acknowledged.add(Number(n)));
    this.client.onConfirmation(async ({ callback_id: callbackId, step }) => {
      await this.answer(callbackId, step);
      return undefined;
    });
    this.subscribed = Promise.all(
      channels.map(
        (channel) =>
          new Promise<void>((resolve) =>
            this.client.channel(channel, ({ type, n }) => type === 'note' && this.take(channel, Number(n)), {
              snapshot: () => resolve(),
            }),
          ),
      ),
    );
  }

  async ready(): Promise<void> {
    await this.subscribed;
  }

  /** The numbers that have come on a channel, each once. */
  received(channel: string): ReadonlySet<number> {
    return this.numbers[channel] ?? new Set();
  }

  private take(channel: string, n: number): void {
    const numbers = this.numbers[channel];
    if (numbers?.has(n)) this.counts.repetitions += 1;
    numbers?.add(n);
  }

  private async answer(callbackId: string, step: number): Promise<void> {
    this.counts.answers += 1;
    this.openAnswers += 1;
    try {
      await this.client.confirmations.answer(callbackId, answerTo(step));
      this.counts.acceptedAnswers += 1;
    } catch (error) {
      this.errors.push(String(error));
    } finally {
      this.openAnswers -= 1;
    }
  }
}
