/** An element with a client: its own, made from `url`, `userId` and `token`, or one that the application gives it. */
import { connect, type NotificationClient } from '../client/index.js';
import { DrawnElement } from './drawn-element.js';
import { ENGLISH, type Words } from './words.js';

/** What the element connects with. A change of any of it connects again. */
interface Given {
  url?: string;
  userId?: string;
  token?: () => string | Promise<string>;
  client?: NotificationClient;
}

const NAMES = ['url', 'userId', 'token', 'client'] as const;

export abstract class ConnectedElement extends DrawnElement {
  static readonly observedAttributes = ['url', 'user-id'];

  declare url: Given['url'];
  declare userId: Given['userId'];
  declare token: Given['token'];
  declare client: Given['client'];
  private given: Given = {};
  private ownWords: Partial<Words> | undefined;
  private own: NotificationClient | undefined;
  private isReconnecting = false;

  static {
    for (const name of NAMES)
      Object.defineProperty(this.prototype, name, {
        get(this: ConnectedElement) {
          return this.given[name];
        },
        set(this: ConnectedElement, value: unknown) {
          this.give(name, value);
        },
      });
  }

  get words(): Partial<Words> | undefined {
    return this.ownWords;
  }
  set words(words: Partial<Words> | undefined) {
    this.ownWords = words;
    this.draw();
  }

  protected get allWords(): Words {
    return { ...ENGLISH, ...this.ownWords };
  }

  attributeChangedCallback(name: string, _before: string | null, value: string | null): void {
    this.give(name === 'url' ? 'url' : 'userId', value ?? undefined);
  }

  connectedCallback(): void {
    // What was set before the element was defined hides the accessor.
    for (const name of [...NAMES, 'words'] as const)
      if (Object.hasOwn(this, name)) {
        const value = this[name as 'url'];
        Reflect.deleteProperty(this, name);
        this[name as 'url'] = value;
      }
    this.reconnect();
  }

  disconnectedCallback(): void {
    this.detach();
  }

  protected abstract onClient(client: NotificationClient): void;
  protected abstract onClientGone(): void;

  /** Another function for tokens connects nothing: the next token comes from it. */
  private give(name: keyof Given, value: unknown): void {
    const before = this.given[name];
    if (before === value) return;
    this.given = { ...this.given, [name]: value };
    if (name !== 'token' || !before || !value) this.reconnect();
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
    const giveToken = token && (() => this.given.token?.() ?? '');
    if (!client && url !== undefined) this.own = connect(url, { userId, token: giveToken, shareTabs: false });
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
