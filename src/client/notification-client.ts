/** What `connect` gives an application. */
import type { ConfirmationHandler, Confirmations } from './confirmations.js';
import type { IdentityOptions } from './identity.js';
import type { MessageListener } from './messages.js';
import type { ConnectionState } from './reconnecting-socket.js';
import type { SocketConstructor } from './socket.js';

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

export interface NotificationClient {
  /** Where it connects. */
  readonly url: string;
  /** What the user is being asked: `subscribe`, `getSnapshot`, `answer`, `dismiss`, `seen`. */
  readonly confirmations: Confirmations;
  readonly state: ConnectionState;
  /** The user that this client is, once it is known. */
  readonly userId: string | undefined;
  /** The header `Authorization` for requests of this user to the service's REST; `undefined` in open mode. */
  readonly authorization: string | undefined;
  /** Gets an error that nobody awaits: `options.onError`, or its default. */
  report(this: void, error: unknown): void;

  /** Calls back with every new state. @returns stops it */
  onState(listener: (state: ConnectionState) => unknown): () => void;
  /** Messages of a type, from whatever channel. @returns stops it */
  on(type: string, listener: MessageListener): () => void;
  /**
   * Subscribes to a channel of the application's own, to `broadcast`, or to `task:<id>`, from now on and over reconnects.
   * @returns stops the listener, and leaves the channel with its last one
   * @example
   * client.channel('orders', (message) => apply(message), { snapshot: () => reloadOrders() });
   */
  channel(channel: string, listener: MessageListener, options?: ChannelOptions): () => void;
  /** Messages, progress and heartbeats of one task. @returns stops the listener, and leaves the channel with its last one */
  task(taskId: string, listener: MessageListener, options?: ChannelOptions): () => void;
  /** Calls back with a channel of which messages are lost for good: reload what it is about. @returns stops it */
  onGap(listener: (channel: string) => unknown): () => void;
  /** Lets a program answer: called once for each confirmation. `undefined` leaves it open. @returns stops it */
  onConfirmation(handler: ConfirmationHandler): () => void;
  /** Cancels a task of this user. Works offline, like an answer. @throws ServerError, ClientClosedError */
  cancel(taskId: string, reason?: string): Promise<void>;
  /** Milliseconds until a confirmation's deadline by the server's clock; `Infinity` without one. */
  remainingMs(confirmation: { expires_at: number | null }): number;
  /** Ends for good. What still waits rejects with `ClientClosedError`. */
  close(): void;
}
