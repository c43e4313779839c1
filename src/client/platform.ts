/** What the client needs of a browser or of Node. Declared here, so that neither's types are needed to use the package. */

/** The part of the WHATWG `WebSocket` that is used; `globalThis.WebSocket` and the class of `ws` both have it. */
export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: { data?: unknown; code?: number; reason?: string }) => void): void;
}

export type SocketConstructor = new (url: string, protocols?: string | string[]) => SocketLike;

interface EventSource {
  addEventListener?: (type: string, listener: () => void) => void;
  removeEventListener?: (type: string, listener: () => void) => void;
}

/** @throws TypeError where there is no WebSocket, as in Node 20 */
export function globalSocket(): SocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: SocketConstructor };
  if (!WebSocket) throw new TypeError('there is no global WebSocket: pass one as options.WebSocket');
  return WebSocket;
}

/**
 * Calls back whenever the network or the page may have come back: it is online, shown again, or restored from the
 * back-forward cache.
 * @returns stops it
 */
export function onWake(wake: () => void): () => void {
  const { document } = globalThis as { document?: EventSource & { visibilityState?: string } };
  const shown = (): void => {
    if (document?.visibilityState === 'visible') wake();
  };
  const sources: [EventSource | undefined, string, () => void][] = [
    [globalThis as EventSource, 'online', wake],
    [globalThis as EventSource, 'pageshow', wake],
    [document, 'visibilitychange', shown],
  ];
  for (const [source, type, listener] of sources) source?.addEventListener?.(type, listener);
  return () => {
    for (const [source, type, listener] of sources) source?.removeEventListener?.(type, listener);
  };
}
