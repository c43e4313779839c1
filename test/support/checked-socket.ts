/**
 * A WebSocket client whose every frame, in both directions, is as the AsyncAPI document says. A test that sends something else
 * on purpose says so: `sendUnchecked`.
 */
import { WebSocket, type ClientOptions } from 'ws';
import { checkReceived, checkSent, report } from './frames.js';

export interface CheckedOptions extends ClientOptions {
  /** Whether the frames of the other side are checked. @default true */
  checksReceived?: boolean;
}

export class CheckedSocket extends WebSocket {
  constructor(url: string | URL, protocols: string | string[] = [], { checksReceived = true, ...options }: CheckedOptions = {}) {
    super(url, protocols, options);
    if (checksReceived) this.on('message', (data: Buffer) => report(() => checkReceived(data.toString())));
  }

  override send(data: string | Buffer): void {
    checkSent(data.toString());
    super.send(data);
  }

  /** @param fin whether the frame is the last of its message */
  sendUnchecked(data: string | Buffer, { fin = true } = {}): void {
    super.send(data, { fin });
  }
}
