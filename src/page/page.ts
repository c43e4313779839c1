/** The page of the stand-alone service: its views, who the reader is, the element, and a task to try it with. */
import { connect, type NotificationClient } from '../client/index.js';
import './element.js';
import { runDemo, type DemoEvent } from './demo.js';
import { plain } from './text.js';
import { Views } from './views.js';

const NAME_KEY = 'websocket-manager.user';
/** The name that the examples of the documents ask. */
const FIRST_NAME = 'ann';

const find = (id: string): HTMLElement => document.getElementById(id) ?? document.body;
const isSecure = document.documentElement.dataset['auth'] === 'jwt';
const url = new URL('ws', document.baseURI.replace(/^http/, 'ws')).href;
const inbox = document.querySelector('notification-inbox');
const who = find('who') as HTMLInputElement;
const tryIt = find('try-it') as HTMLButtonElement;
const log = find('log');
const storedName = isSecure ? null : localStorage.getItem(NAME_KEY);
const views = new Views(
  isSecure ? ['inbox', 'operations'] : ['inbox', 'try', 'operations'],
  isSecure || storedName !== null ? 'inbox' : 'try',
);
let client: NotificationClient | undefined;

/** Connects as another user. A token stays in this tab's memory. */
function become(name: string): void {
  client?.close();
  client = name === '' ? undefined : connect(url, { shareTabs: false, ...(isSecure ? { token: () => name } : { userId: name }) });
  if (inbox) inbox.client = client;
  if (isSecure) views.identify(name === '' ? undefined : name);
  else localStorage.setItem(NAME_KEY, name);
}

find('identity').addEventListener('submit', (event) => {
  event.preventDefault();
  become(who.value.trim());
  if (isSecure) who.value = '';
});

tryIt.addEventListener('click', () => {
  if (client) void tryItAs(client, who.value.trim());
  else who.focus();
});

async function tryItAs(current: NotificationClient, userId: string): Promise<void> {
  tryIt.disabled = true;
  log.replaceChildren();
  const note = ({ text, detail }: DemoEvent): void => {
    const item = document.createElement('li');
    item.textContent = plain(text);
    if (detail !== undefined) {
      const code = document.createElement('code');
      code.textContent = plain(JSON.stringify(detail));
      item.append(' ', code);
    }
    log.append(item);
  };
  try {
    await runDemo(current, userId, note);
  } catch (error) {
    note({ text: `The task failed: ${(error as Error).message}` });
  } finally {
    tryIt.disabled = false;
  }
}

document.addEventListener('keydown', ({ key, target }) => {
  if (target === document.body && (key === 'j' || key === 'k')) inbox?.move(key === 'j' ? 1 : -1);
});

if (!isSecure) become((who.value = storedName ?? FIRST_NAME));
