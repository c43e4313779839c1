/**
 * A client that never loses an answer: it connects, comes back, resumes, and keeps what is open.
 *
 *  connection (reconnecting-socket) → identity (authenticate, or the user's channel) → channels (subscribe, recover)
 *  → requests that wait (answers, cancellations, acknowledgements) are sent again.
 *
 * The order is the server's: it handles the frames of one connection one after the other.
 */
import type { ErrorMessage, TaskStepResult } from '../protocol/messages.js';
import { Channels } from './channels.js';
import { Confirmations, type ConfirmationHandler } from './confirmations.js';
import { ClientClosedError } from './errors.js';
import { Listeners } from './listeners.js';
import { Messages, type MessageListener } from './messages.js';
import { globalSocket, type SocketConstructor } from './platform.js';
import { ReconnectingSocket, type ConnectionState } from './reconnecting-socket.js';
import { ConnectionLostError, Requests, type ServerReply } from './requests.js';

export interface ClientOptions {
  /** Open mode: who this is. */
  userId?: string;
  /** Secure mode: gives a valid token whenever one is needed; called again when the last one ends. */
  token?: () => string | Promise<string>;
  /** @default the global one, which browsers and Node from version 22 on have */
  WebSocket?: SocketConstructor;
  /** Milliseconds without a frame after which the server is asked whether it lives. @default 25000 */
  quietMs?: number;
  /** Milliseconds that it has to answer. @default 10000 */
  silenceMs?: number;
  /** Hears of listeners that throw, and of channels that the server ended. @default reportError, else console.error */
  onError?: (error: unknown) => void;
}

/** The longest delay that timers take. */
const LONGEST_MS = 2 ** 31 - 1;
/** A token is renewed this long before it ends. */
const RENEW_BEFORE_MS = 30_000;

export class NotificationClient {
  /** What the user is being asked: `subscribe`, `getSnapshot`, `answer`. */
  readonly confirmations: Confirmations;
  private readonly socket: ReconnectingSocket;
  private readonly requests: Requests;
  private readonly channels: Channels;
  private readonly messages: Messages;
  private readonly states: Listeners<[ConnectionState]>;
  private readonly gaps: Listeners<[string]>;
  private readonly report: (error: unknown) => void;
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private userId: string | undefined;
  /** The server's clock less ours, milliseconds. */
  private clockOffset: number | undefined;

  constructor(
    url: string,
    private readonly options: ClientOptions,
  ) {
    this.report = options.onError ?? reportGlobally;
    this.userId = options.userId;
    this.states = new Listeners(this.report);
    this.gaps = new Listeners(this.report);
    this.requests = new Requests((frame) => this.socket.send(frame));
    this.confirmations = new Confirmations(this.requests, this.report);
    this.messages = new Messages(this.requests, this.report);
    this.channels = new Channels(this.requests, {
      onSubscribed: ({ channel, pending }) => {
        if (channel === `user:${this.userId}`) this.confirmations.retain(pending);
      },
      onGap: (channel) => void this.gaps.call(channel),
      onEnded: (_channel, error) => this.report(error),
    });
    if (options.userId !== undefined && !options.token) this.channels.add(`user:${options.userId}`);
    this.socket = new ReconnectingSocket(
      url,
      options.WebSocket ?? globalSocket(),
      { quietMs: options.quietMs ?? 25_000, silenceMs: options.silenceMs ?? 10_000 },
      {
        onOpen: () => void this.onOpen(),
        onText: (text) => this.onText(text),
        onLost: () => this.onLost(),
        onState: (state) => void this.states.call(state),
        sendPing: () => this.ping(),
      },
    );
    this.socket.connect();
  }

  get state(): ConnectionState {
    return this.socket.state;
  }

  /** Calls back with every new state. @returns stops it */
  onState(listener: (state: ConnectionState) => unknown): () => void {
    return this.states.add(listener);
  }

  /** Messages of a type, from whatever channel. @returns stops it */
  on(type: string, listener: MessageListener): () => void {
    return this.messages.onType(type, listener);
  }

  /**
   * Subscribes to a channel of the application's own, to `broadcast`, or to `task:<id>`, from now on and over reconnects.
   * @returns stops the listener and leaves the channel
   */
  channel(channel: string, listener: MessageListener): () => void {
    const stop = this.messages.onChannel(channel, listener);
    this.channels.add(channel);
    return () => {
      stop();
      this.channels.remove(channel);
    };
  }

  /** Messages, progress and heartbeats of one task. @returns stops the listener and leaves the task's channel */
  task(taskId: string, listener: MessageListener): () => void {
    return this.channel(`task:${taskId}`, listener);
  }

  /** Calls back with a channel of which messages are lost for good: reload what it is about. @returns stops it */
  onGap(listener: (channel: string) => unknown): () => void {
    return this.gaps.add(listener);
  }

  /** Lets a program answer confirmations. @returns stops it */
  onConfirmation(handler: ConfirmationHandler): () => void {
    return this.confirmations.onConfirmation(handler);
  }

  /** Cancels a task of this user; works offline, like an answer. @throws ServerError, ClientClosedError */
  async cancel(taskId: string, reason?: string): Promise<void> {
    await this.requests.lasting({ action: 'cancel', user_id: this.userId, task_id: taskId, reason });
  }

  /** Milliseconds until a confirmation's deadline by the server's clock; `Infinity` without one. */
  remainingMs({ expires_at: expiresAt }: { expires_at: number | null }): number {
    return expiresAt === null ? Infinity : expiresAt * 1000 - (Date.now() + (this.clockOffset ?? 0));
  }

  /** Ends for good. What still waits rejects with `ClientClosedError`. */
  close(): void {
    this.socket.close('closed by the application');
    this.onLost();
  }

  private async onOpen(): Promise<void> {
    try {
      if (this.options.token) await this.authenticate();
      this.ping();
      await this.channels.onConnected();
      if (this.socket.isOpen) this.requests.onReady();
    } catch (error) {
      if (error instanceof ConnectionLostError || this.state.status === 'closed') return;
      this.report(error);
      this.socket.renew(4401, 'not authenticated');
    }
  }

  private async authenticate(): Promise<void> {
    const token = await this.options.token?.();
    const reply = await this.requests.passing({ action: 'authenticate', token });
    const { user_id: userId, expires_at: expiresAt } = reply as { user_id?: string; expires_at?: number | null };
    if (userId !== undefined) {
      this.userId = userId;
      // Authenticating subscribes; asking gives the position, and what was missed.
      this.channels.add(`user:${userId}`);
    }
    clearTimeout(this.renewal);
    if (typeof expiresAt !== 'number') return;
    const endsIn = expiresAt * 1000 - Date.now();
    const renewIn = Math.max(endsIn - RENEW_BEFORE_MS, endsIn / 2, 0);
    this.renewal = setTimeout(() => void this.renewToken(), Math.min(renewIn, LONGEST_MS));
  }

  private async renewToken(): Promise<void> {
    try {
      if (this.socket.isOpen) await this.authenticate();
    } catch (error) {
      // The server closes with 4401 when the old token ends, and the next connection asks for another.
      if (!(error instanceof ConnectionLostError)) this.report(error);
    }
  }

  private onLost(): void {
    clearTimeout(this.renewal);
    this.channels.onLost();
    this.requests.onLost();
    if (this.state.status === 'closed') this.requests.rejectAll(new ClientClosedError(this.state.reason));
  }

  private ping(): void {
    this.requests.passing({ action: 'ping' }).catch(() => undefined); // gone with the connection
  }

  private onText(text: string): void {
    const frame = JSON.parse(text) as ServerReply;
    if (!this.channels.onFrame(frame)) return;
    switch (frame.type) {
      case 'pong':
        this.clockOffset = Number(frame['timestamp']) * 1000 - Date.now();
        break;
      case 'task_step_result':
        return this.confirmations.show(frame as unknown as TaskStepResult);
      case 'confirmation_resolved':
        return this.confirmations.resolved(frame as unknown as { callback_id: string });
      case 'confirmation_expiring':
        return this.confirmations.expiring(String(frame['callback_id']));
      default:
        break;
    }
    if (this.requests.onFrame(frame)) return;
    if (frame.type === 'error') this.report(new Error(`${(frame as unknown as ErrorMessage).code}: ${String(frame['message'])}`));
    else if (!CONTROL.has(frame.type) && !this.channels.willRepeat(frame)) void this.messages.onFrame(frame);
  }
}

/** Frames that are the protocol's own, and no messages. */
const CONTROL: ReadonlySet<string> = new Set([
  'pong',
  'subscription_confirmed',
  'unsubscribed',
  'recovered',
  'acknowledged',
  'authenticated',
]);

function reportGlobally(error: unknown): void {
  const { reportError, console } = globalThis as {
    reportError?: (error: unknown) => void;
    console?: { error(error: unknown): void };
  };
  if (reportError) reportError(error);
  else console?.error(error);
}

/**
 * Connects, and stays connected until `close()`.
 *
 * @param url `ws://host:8765/ws` or `wss://…`
 * @example
 * const client = connect('ws://localhost:8765/ws', { userId: 'ann' });
 * client.onConfirmation(async (confirmation) => ({ proceed: await askAnn(confirmation.message) }));
 */
export function connect(url: string, options: ClientOptions = {}): NotificationClient {
  return new NotificationClient(url, options);
}
