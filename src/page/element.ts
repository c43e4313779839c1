/**
 * Defines `<notification-inbox>`. Importing this module is enough.
 *
 * @example
 * import 'websocket-manager/element';
 * // <notification-inbox url="wss://example.com/ws" user-id="ann"></notification-inbox>
 */
import type { NotificationClient } from '../client/index.js';
import { Inbox } from './inbox.js';
import { ENGLISH, type Words } from './words.js';

export type { Words } from './words.js';

export interface NotificationInboxElement extends HTMLElement {
  /** Where to connect, `ws://…/ws` or `wss://…/ws`. The attribute is `url`. Not needed with `client`. */
  url: string | undefined;
  /** Open mode: the user's id. The attribute is `user-id`. */
  userId: string | undefined;
  /** Secure mode: gives a valid token, whenever one is needed. */
  token: (() => string | Promise<string>) | undefined;
  /** A client that the page has already. The element does not close it. */
  client: NotificationClient | undefined;
  /** Texts that replace the English ones. */
  words: Partial<Words> | undefined;
  /** Shows a confirmation and gives it the focus, as soon as it is among those that wait. */
  reveal(callbackId: string): void;
  /** Moves the focus to the next card, or with -1 to the one before. */
  move(by: number): void;
  /** Does what a key means, for a key that was pressed elsewhere on the page. */
  press(event: KeyboardEvent): void;
}

/** The element's class, for applications that define it under another name. */
export const NotificationInbox: new () => NotificationInboxElement = Inbox;

/** The words that the element uses unless it is given others. */
export const DEFAULT_WORDS: Words = ENGLISH;

if (typeof customElements !== 'undefined' && !customElements.get('notification-inbox'))
  customElements.define('notification-inbox', Inbox);

declare global {
  interface HTMLElementTagNameMap {
    'notification-inbox': NotificationInboxElement;
  }
}
