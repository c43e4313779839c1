/** What the client needs of a browser or of Node. Declared here, so that neither's types are needed to use the package. */
import type { SocketConstructor } from './socket.js';

interface EventSource {
  addEventListener?: (type: string, listener: () => void) => void;
  removeEventListener?: (type: string, listener: () => void) => void;
}

interface PageSource extends EventSource {
  visibilityState?: string;
}

/** The longest delay that timers take. */
export const LONGEST_MS = 2 ** 31 - 1;

/** How often the clock is read to notice that the machine has slept. */
const NAP_MS = 4000;

/** @throws TypeError where there is no WebSocket, as in Node 20 */
export function globalSocket(): SocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: SocketConstructor };
  if (!WebSocket) throw new TypeError('there is no global WebSocket: pass one as options.WebSocket');
  return WebSocket;
}

/** The page that this code runs in; `undefined` outside of browsers. */
export function currentPage(): PageSource | undefined {
  return (globalThis as { document?: PageSource }).document;
}

export interface LockManager {
  request(name: string, options: { steal?: boolean; signal?: AbortSignal }, held: () => Promise<void>): Promise<void>;
}

/** Web Locks, which pages have that are served securely. Where they are, `BroadcastChannel` is too. */
export function pageLocks(): LockManager | undefined {
  return currentPage() && (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
}

export interface PageHandlers {
  /** The network, the page or the machine may have come back, or gone. */
  onWake: () => void;
  /** The page is left, perhaps for the back-forward cache, which takes no page with an open connection. */
  onHide: () => void;
}

/**
 * Watches for the moments at which a timer would be late: the network changes, the page is shown again, unfrozen or
 * restored from the back-forward cache, or the machine has slept.
 * @returns stops it
 */
export function watchPage({ onWake, onHide }: PageHandlers): () => void {
  const page = currentPage();
  const window = globalThis as EventSource;
  const onShown = (): void => {
    if (page?.visibilityState !== 'hidden') onWake();
  };
  const listeners: [EventSource | undefined, string, () => void][] = [
    [window, 'online', onWake],
    [window, 'offline', onWake],
    [window, 'pageshow', onWake],
    [window, 'pagehide', onHide],
    [page, 'visibilitychange', onShown],
    [page, 'resume', onWake],
  ];
  for (const [source, type, listener] of listeners) source?.addEventListener?.(type, listener);
  let readAt = Date.now();
  const nap: unknown = setInterval(() => {
    const sleptMs = Date.now() - readAt - NAP_MS;
    readAt += sleptMs + NAP_MS;
    if (sleptMs > NAP_MS) onWake();
  }, NAP_MS);
  // In Node a watch keeps no process running.
  (nap as { unref?: () => void }).unref?.();
  return () => {
    clearInterval(nap as number);
    for (const [source, type, listener] of listeners) source?.removeEventListener?.(type, listener);
  };
}
