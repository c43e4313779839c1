/** An element with a client: its own, made from `url`, `userId` and `token`, or one that the application gives it. */
import { connect, type NotificationClient } from '../client/index.js';
import { DrawnElement } from './drawn-element.js';

/** What the element connects with. A change of any of it connects again. */
interface Given {
  url?: string;
  userId?: string;
  token?: () => string | Promise<string>;
  client?: NotificationClient;
}

export abstract class ConnectedElement extends DrawnElement {
  static readonly observedAttributes = ['url', 'user-id'];

  declare url: Given['url'];
  declare userId: Given['userId'];
  declare token: Given['token'];
  declare client: Given['client'];
  private given: Given = {};
  private own: NotificationClient | undefined;
  private isReconnecting = false;

  attributeChangedCallback(name: string, _before: string | null, value: string | null): void {
    this.give({ [name === 'url' ? 'url' : 'userId']: value ?? undefined });
  }

  static {
    for (const name of ['url', 'userId', 'token', 'client'] as const)
      Object.defineProperty(this.prototype, name, {
        get(this: ConnectedElement) {
          return this.given[name];
        },
        set(this: ConnectedElement, value: unknown) {
          this.give({ [name]: value });
        },
      });
  }

  connectedCallback(): void {
    this.reconnect();
  }

  disconnectedCallback(): void {
    this.detach();
  }

  protected abstract onClient(client: NotificationClient): void;
  protected abstract onClientGone(): void;

  private give(given: Given): void {
    this.given = { ...this.given, ...given };
    this.reconnect();
  }

  /** Connects once, with all that one turn has set. */
  private reconnect(): void {
    this.detach();
    if (this.isReconnecting) return;
    this.isReconnecting = true;
    queueMicrotask(() => {
      this.isReconnecting = false;
      if (this.isConnected) this.attach();
    });
  }

  private attach(): void {
    const { token, userId, url, client } = this.given;
    if (!client && url !== undefined) this.own = connect(url, { userId, token, shareTabs: false });
    const used = client ?? this.own;
    if (used) this.onClient(used);
  }

  /** Closes the client that the element has made itself. */
  private detach(): void {
    this.onClientGone();
    this.own?.close();
    this.own = undefined;
  }
}
