/**
 * A client that never loses an answer: it connects, comes back, resumes, and keeps what is open.
 *
 *  token → connection (`reconnecting-socket`, shared among tabs by `shared-socket`) → `identity` → `channels` (subscribe,
 *  recover) → `requests` that wait (answers, cancellations, acknowledgements) are sent again.
 *
 * The order is the server's: it handles the frames of one connection one after the other.
 */
import type { TaskStepResult } from '../protocol/messages.js';
import { Channels } from './channels.js';
import { ServerClock } from './clock.js';
import { ConfirmationStore, type ConfirmationHandler, type Confirmations } from './confirmations.js';
import { ClientClosedError, ConnectionLostError, isTemporary, ServerError } from './errors.js';
import type { ServerMessage } from './frames.js';
import { Identity, type IdentityOptions } from './identity.js';
import { Listeners } from './listeners.js';
import { Messages, type MessageListener } from './messages.js';
import { globalSocket, pageLocks } from './platform.js';
import type { SocketConstructor, SocketLike } from './socket.js';
import { ReconnectingSocket, type ConnectionState } from './reconnecting-socket.js';
import { Requests } from './requests.js';
import { Snapshots } from './snapshots.js';

export interface ClientOptions extends IdentityOptions {
  /** @default the global one, which browsers and Node from version 22 on have */
  WebSocket?: SocketConstructor;
  /** Whether tabs of one browser that are the same user share one connection. @default true */
  shareTabs?: boolean;
  /** Milliseconds without a frame after which the client pings the server. @default 25000 */
  quietMs?: number;
  /** Milliseconds within which the server must answer a ping, and open a connection. @default 10000 */
  silenceMs?: number;
  /** Gets what listeners throw, and why the server ended or refused a subscription. @default reportError, else console.error */
  onError?: (error: unknown) => void;
}

export interface ChannelOptions {
  /**
   * Loads what the channel is about: when it is first subscribed, and after messages were lost. Messages of the channel
   * wait until the promise settles.
   */
  snapshot?: (channel: string) => unknown;
}

export class NotificationClient {
  /** What the user is being asked: `subscribe`, `getSnapshot`, `answer`, `dismiss`, `seen`. */
  readonly confirmations: Confirmations;
  private readonly store: ConfirmationStore;
  private readonly clock = new ServerClock();
  private readonly socket: ReconnectingSocket;
  private readonly requests: Requests;
  private readonly identity: Identity;
  private readonly channels: Channels;
  private readonly messages: Messages;
  private readonly snapshots: Snapshots;
  private readonly states: Listeners<[ConnectionState]>;
  private readonly gaps: Listeners<[string]>;
  /** Gets an error that nobody awaits: `options.onError`, or its default. */
  readonly report: (error: unknown) => void;

  constructor(
    /** Where it connects. */
    readonly url: string,
    private readonly options: ClientOptions,
  ) {
    const report = (this.report = guarded(options.onError ?? reportGlobally));
    const { quietMs = 25_000, silenceMs = 10_000 } = options;
    const Socket = options.WebSocket ?? globalSocket();
    this.states = new Listeners(report);
    this.gaps = new Listeners(report);
    this.requests = new Requests((text) => this.socket.send(text));
    this.identity = new Identity(options, this.requests, this.clock, report);
    this.confirmations = this.store = new ConfirmationStore(this.requests, this.clock, report);
    this.messages = new Messages(this.requests, report);
    this.snapshots = new Snapshots((frame) => void this.messages.onFrame(frame), report);
    this.channels = new Channels(this.requests, {
      onReady: () => {
        this.socket.onWorking();
        this.requests.onReady();
      },
      onSubscribing: (channel) => {
        if (channel === this.identity.channel) this.store.beforeRetain();
      },
      onSubscribed: ({ channel, pending }) => {
        if (channel === this.identity.channel) this.store.retain(pending);
      },
      onStale: (channel, isGap) => {
        if (isGap) void this.gaps.call(channel);
        void this.snapshots.load(channel);
      },
      onEnded: report,
    });
    this.socket = new ReconnectingSocket(
      { quietMs, silenceMs },
      {
        open: () => this.openSocket(Socket),
        onOpen: () => void this.onOpen(),
        onText: (text) => this.onText(text),
        onLost: (code) => this.onLost(code),
        onState: (state) => void this.states.call(state),
        onError: report,
        sendPing: () => void this.ping(),
      },
    );
    this.socket.connect();
  }

  get state(): ConnectionState {
    return this.socket.state;
  }

  /** The user that this client is, once it is known. */
  get userId(): string | undefined {
    return this.identity.userId;
  }

  /** The header `Authorization` for requests of this user to the service's REST; `undefined` in open mode. */
  get authorization(): string | undefined {
    return this.identity.authorization;
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
   * @returns stops the listener, and leaves the channel with its last one
   * @example
   * client.channel('orders', (message) => apply(message), { snapshot: () => reloadOrders() });
   */
  channel(channel: string, listener: MessageListener, { snapshot }: ChannelOptions = {}): () => void {
    const stops = [this.messages.onChannel(channel, listener)];
    if (snapshot) stops.push(this.snapshots.add(channel, snapshot));
    if (this.channels.add(channel) && snapshot) void this.snapshots.load(channel);
    return () => {
      for (const stop of stops) stop();
      if (!this.messages.hasChannel(channel) && channel !== this.identity.channel) this.channels.remove(channel);
    };
  }

  /** Messages, progress and heartbeats of one task. @returns stops the listener, and leaves the channel with its last one */
  task(taskId: string, listener: MessageListener, options?: ChannelOptions): () => void {
    return this.channel(`task:${taskId}`, listener, options);
  }

  /** Calls back with a channel of which messages are lost for good: reload what it is about. @returns stops it */
  onGap(listener: (channel: string) => unknown): () => void {
    return this.gaps.add(listener);
  }

  /** Lets a program answer: called once for each confirmation. `undefined` leaves it open. @returns stops it */
  onConfirmation(handler: ConfirmationHandler): () => void {
    return this.confirmations.onConfirmation(handler);
  }

  /** Cancels a task of this user. Works offline, like an answer. @throws ServerError, ClientClosedError */
  async cancel(taskId: string, reason?: string): Promise<void> {
    await this.requests.lasting(() => ({ action: 'cancel', user_id: this.identity.userId, task_id: taskId, reason }));
  }

  /** Milliseconds until a confirmation's deadline by the server's clock; `Infinity` without one. */
  remainingMs({ expires_at: expiresAt }: { expires_at: number | null }): number {
    return expiresAt === null ? Infinity : expiresAt * 1000 - this.clock.now();
  }

  /** Ends for good. What still waits rejects with `ClientClosedError`. */
  close(): void {
    this.socket.close('closed by the application');
    this.onLost(1000);
  }

  private async openSocket(Socket: SocketConstructor): Promise<SocketLike> {
    await this.identity.prepare();
    const { shareKey } = this.identity;
    const open = (): SocketLike => new Socket(this.url, ['notification.v1']);
    const locks = this.options.shareTabs === false ? undefined : pageLocks();
    if (!locks || shareKey === undefined) return open();
    try {
      const { SharedSocket } = await import('./shared-socket.js');
      return new SharedSocket(locks, `${this.url} ${shareKey}`, open);
    } catch (error) {
      // The file is gone since the page was loaded, or the frame may not share.
      this.report(error);
      return open();
    }
  }

  private async onOpen(): Promise<void> {
    try {
      await this.identity.authenticate();
      void this.ping();
      // Authenticating subscribes. Asking again gives the position, and what was missed.
      await this.channels.onConnected(this.identity.channel);
    } catch (error) {
      if (error instanceof ConnectionLostError) return;
      this.report(error);
      const isLater = error instanceof ServerError && isTemporary(error.code);
      this.socket.renew(isLater ? 1013 : 4401, 'not authenticated');
    }
  }

  private onLost(code: number): void {
    this.identity.onLost(code);
    this.channels.onLost();
    this.requests.onLost(code);
    const { state } = this;
    if (state.status !== 'closed') return;
    this.requests.close(new ClientClosedError(state.reason));
    this.store.close();
  }

  private async ping(): Promise<void> {
    const askedAt = Date.now();
    try {
      const { timestamp } = await this.requests.passing({ action: 'ping' });
      this.clock.onReply(Number(timestamp), askedAt);
      this.identity.renewInTime();
    } catch {
      // The connection ended, which the socket sees by itself.
    }
  }

  /** Until an open-mode connection is its user's, it is anonymous and gets what is everybody's. */
  private isForeign({ user_id, target_user_id = user_id }: ServerMessage): boolean {
    const { userId } = this.identity;
    return !this.channels.isReady && userId !== undefined && (target_user_id ?? userId) !== userId;
  }

  private onText(text: string): void {
    let frame: ServerMessage;
    try {
      frame = JSON.parse(text) as ServerMessage;
    } catch (error) {
      return this.report(error);
    }
    const isNew = this.channels.onFrame(frame);
    const isReply = this.requests.onFrame(frame);
    if (!isNew || (isReply && frame.type !== 'task_cancelled') || this.isForeign(frame)) return;
    const callbackId = String(frame['callback_id']);
    if (frame.type === 'task_step_result' && this.identity.isForeign(String(frame['user_id']))) return;
    if (frame.type === 'task_step_result') this.store.onShown(frame as unknown as TaskStepResult);
    else if (frame.type === 'confirmation_resolved') this.store.remove(callbackId);
    else if (frame.type === 'confirmation_expiring') this.store.onExpiring(callbackId);
    else if (frame.type === 'confirmation_dismissed') this.store.onDismissed(callbackId, Number(frame['dismissed_until']));
    else if (frame.type === 'error') this.report(new Error(`${String(frame['code'])}: ${String(frame['message'])}`));
    if (!this.snapshots.hold(frame['channel'], frame)) void this.messages.onFrame(frame);
  }
}

/** What reports must not throw: nobody is there to catch it. */
const guarded =
  (report: (error: unknown) => void) =>
  (error: unknown): void => {
    try {
      report(error);
    } catch (thrown) {
      reportGlobally(thrown);
    }
  };

function reportGlobally(error: unknown): void {
  const { console, reportError = console.error } = globalThis as unknown as {
    console: { error(this: void, error: unknown): void };
    reportError?: (error: unknown) => void;
  };
  reportError(error);
}

/**
 * Connects, and stays connected until `close()`.
 *
 * @param url `ws://host:8765/ws` or `wss://…`
 * @throws TypeError where there is no WebSocket
 * @example
 * const client = connect('ws://localhost:8765/ws', { userId: 'ann' });
 * client.onConfirmation(async (confirmation) => ({ proceed: await askAnn(confirmation.message) }));
 */
export function connect(url: string, options: ClientOptions = {}): NotificationClient {
  return new NotificationClient(url, options);
}
