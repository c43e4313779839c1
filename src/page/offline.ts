/**
 * The page's service worker: the page opens without the service, shows that it is not connected, and connects by itself.
 *
 *  1. It serves the page's own files only, from the network if there is one. They hold no data; nothing else is stored.
 *  2. A service that no longer has the page removes the worker.
 */
interface WorkerEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends WorkerEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Worker extends EventTarget {
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  readonly registration: { unregister(): Promise<boolean> };
}

const worker = globalThis as unknown as Worker;
const CACHE = 'websocket-manager-page';
const ROOT = new URL('../', location.href).href;
const FILES = ['page.js', 'more.js', 'operations.js', 'page.css', 'icon.svg', 'manifest.webmanifest'].map(
  (name) => new URL(name, location.href).href,
);

worker.addEventListener('install', (event) => (event as WorkerEvent).waitUntil(install()));
worker.addEventListener('activate', (event) => (event as WorkerEvent).waitUntil(worker.clients.claim()));
worker.addEventListener('fetch', (event) => {
  const fetched = event as FetchEvent;
  const { request } = fetched;
  const [url = ''] = request.url.split(/[?#]/);
  if (request.method === 'GET' && (url === ROOT ? request.mode === 'navigate' : FILES.includes(url)))
    fetched.respondWith(answer(request, url));
});

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  // The service gives the page to those that accept HTML.
  await cache.addAll([new Request(ROOT, { headers: { accept: 'text/html' } }), ...FILES]);
  await worker.skipWaiting();
}

async function answer(request: Request, url: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(url, response.clone());
    else if (url === ROOT && response.status < 500) await worker.registration.unregister();
    return response;
  } catch (error) {
    const stored = await cache.match(url, { ignoreVary: true });
    if (stored) return stored;
    throw error;
  }
}
