/**
 * The WebSocket of one connection. Thousands are open, so each has one object that takes what it emits.
 */
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { ConnectionSocket } from '../connection/connection.js';
import type { SocketListener } from './client.js';
import type { SocketWriter } from './socket-writer.js';
import { clearTimeout, setTimeout } from '../pacing/time-source.js';

/** How long a peer has to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2000;
/** A protocol-level ping without a payload (RFC 6455, section 5.5.2). `ws` would take two writes for it. */
const PING = Buffer.from([0x89, 0]);

const ignore = (): void => undefined;

export class ClientSocket extends WebSocket implements ConnectionSocket {
  private stream: Duplex | undefined;
  private listener: SocketListener | undefined;
  private writer: SocketWriter | undefined;

  /** Passes on what the socket emits. @param stream the socket beneath, to which ready-made frames go */
  serve(stream: Duplex, writer: SocketWriter, listener: SocketListener): void {
    this.stream = stream;
    this.writer = writer;
    this.listener = listener;
  }

  /** After a close frame of either side nothing more is sent (RFC 6455, section 5.5.1): it counts as waiting until the socket is gone. */
  write(bytes: Buffer, written: (error?: Error | null) => void): boolean {
    const { stream, writer } = this;
    if (this.readyState !== this.OPEN) return false;
    return stream !== undefined && writer !== undefined && writer.write(stream, bytes, written);
  }

  override ping(): void {
    this.write(PING, ignore);
  }

  end(code: number, reason: string, deaf = false): void {
    if (this.readyState === this.CLOSED) return;
    if (!deaf) this.resume(); // A paused socket would never show the peer's close frame.
    this.close(code, reason);
    const timer = setTimeout(() => this.terminate(), CLOSE_TIMEOUT_MS).unref();
    this.once('close', () => clearTimeout(timer));
  }

  /** Hands the events to the listener. A table of listeners for each connection would take several hundred bytes. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const { listener } = this;
    if (!listener) return super.emit(event, ...args);
    switch (event) {
      case 'message':
        listener.onMessage(args[0] as Buffer);
        break;
      case 'ping':
        listener.onPing();
        break;
      case 'pong':
        listener.onPong();
        break;
      case 'close':
        listener.onClosed(args[0] as number);
        break;
      case 'error':
        listener.onError(args[0] as Error);
        return true;
    }
    return super.emit(event, ...args);
  }
}
