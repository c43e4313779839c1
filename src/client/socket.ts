/** What the client needs of a WebSocket: types only, so that the lazily loaded `shared-socket` shares no code with the rest. */

/** The part of the WHATWG `WebSocket` that is used; `globalThis.WebSocket` and the class of `ws` both have it. */
export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: SocketEvent) => void): void;
}

export interface SocketEvent {
  data?: unknown;
  code?: number;
  reason?: string;
}

export type SocketConstructor = new (url: string, protocols?: string | string[]) => SocketLike;
