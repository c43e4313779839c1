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
const refusal = find('refusal');
const storage = storageOf();
const storedName = isSecure ? null : (storage?.getItem(NAME_KEY) ?? null);
const views = new Views(
  isSecure ? ['inbox', 'operations'] : ['inbox', 'try', 'operations'],
  isSecure || storedName !== null ? 'inbox' : 'try',
);
let client: NotificationClient | undefined;

/** Connects as another user. A token stays in this tab's memory, and is given once: a second time, the first was refused. */
function become(name: string): void {
  client?.close();
  refusal.textContent = '';
  let isGiven = false;
  const token = (): string => {
    if (isGiven) queueMicrotask(refuse);
    isGiven = true;
    return name;
  };
  client = name === '' ? undefined : connect(url, { shareTabs: false, ...(isSecure ? { token } : { userId: name }) });
  if (inbox) inbox.client = client;
  if (isSecure) views.identify(name === '' ? undefined : name);
  else storage?.setItem(NAME_KEY, name);
  if (client) void reveal(client);
}

function refuse(): void {
  become('');
  refusal.textContent = 'The token was refused, or has ended. Please give another one.';
}

/** Shows the confirmation that the address names, or says why it is not shown. */
async function reveal(current: NotificationClient): Promise<void> {
  const id = new URLSearchParams(location.search).get('confirmation');
  if (id === null) return;
  inbox?.reveal(id);
  while (current.userId === undefined && current === client) await new Promise((resolve) => current.onState(resolve));
  const { authorization, userId } = current;
  const response = await fetch(`ws/confirmations/${encodeURIComponent(id)}`, {
    headers: authorization === undefined ? {} : { authorization },
  });
  const { state, user_id: owner } = (await response.json()) as { state?: string; user_id?: string };
  if (current !== client) return;
  if (!response.ok || owner !== userId) refusal.textContent = 'The confirmation of this address is not one of yours.';
  else if (state !== 'pending') refusal.textContent = 'The confirmation of this address is decided. See the tab Done.';
}

find('identity').addEventListener('submit', (event) => {
  event.preventDefault();
  become(who.value.trim());
  if (isSecure) who.value = '';
});

tryIt.addEventListener('click', () => {
  if (client?.userId === undefined) who.focus();
  else void tryItAs(client, client.userId);
});

/** `undefined` where the browser blocks it. */
function storageOf(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

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

/** The page's own keys are the element's. */
document.addEventListener('keydown', (event) => {
  if (event.target === document.body && inbox?.checkVisibility()) inbox.press(event);
});

if (!isSecure) become((who.value = storedName ?? FIRST_NAME));

/** The page opens without the service, where browsers allow that: on localhost and over TLS. */
async function keepForOffline(): Promise<void> {
  const { trustedTypes } = globalThis as {
    trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): string } };
  };
  const policy = trustedTypes?.createPolicy('page', { createScriptURL: (address: string) => address });
  const script = 'page/offline.js';
  await navigator.serviceWorker.register(policy?.createScriptURL(script) ?? script, { scope: './' });
}

if ('serviceWorker' in navigator) addEventListener('load', () => void keepForOffline());
