/** A WebSocket client on a bare TCP socket: it can stop reading, flood, send garbage, and break the connection. */
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { checkReceived, checkSent, report } from './frames.js';

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawOptions {
  port: number;
  path?: string;
  /** Any of 127/8. */
  localAddress?: string;
}

/** RFC 6455 §5.2: a masked, unfragmented frame. */
export function maskedFrame(opcode: number, payload: Buffer | string): Buffer {
  const body = Buffer.from(payload);
  const lengthBytes = body.length < 126 ? 0 : body.length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + lengthBytes + 4 + body.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (lengthBytes === 0 ? body.length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(body.length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(body.length), 2);
  const mask = frame.subarray(2 + lengthBytes, 6 + lengthBytes);
  mask.set([1, 2, 3, 4]);
  const masked = frame.subarray(6 + lengthBytes);
  for (let index = 0; index < body.length; index += 1) masked[index] = body[index]! ^ mask[index % 4]!;
  return frame;
}

export interface RawFrame {
  opcode: number;
  payload: Buffer;
}

export class RawClient {
  /** `frame` for each that has been read, `closed` at the end. */
  readonly events = new EventEmitter();
  readonly frames: RawFrame[] = [];
  /** Keep no frames, only count them. */
  keep = true;
  readCount = 0;
  closeCode: number | undefined;
  isClosed = false;
  private buffered = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    this.events.setMaxListeners(0);
  }

  /** Connects and shakes hands; what comes after the 101 is read from then on. */
  static async connect({ port, path = '/ws', localAddress }: RawOptions): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    const client = new RawClient(socket);
    socket.on('error', () => undefined); // 'close' follows
    socket.once('close', () => {
      client.isClosed = true;
      client.events.emit('closed');
    });
    const key = randomBytes(16).toString('base64');
    const headers = ['Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    socket.write(`GET ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
    await client.shakeHands();
    return client;
  }

  get payloads(): Record<string, unknown>[] {
    return this.frames
      .filter(({ opcode }) => opcode === OPCODE.text)
      .map(({ payload }) => JSON.parse(payload.toString()) as Record<string, unknown>);
  }

  /** @returns whether the socket takes more at once */
  write(bytes: Buffer): boolean {
    return !this.socket.destroyed && this.socket.write(bytes);
  }

  send(frame: object | string, opcode: number = OPCODE.text): boolean {
    const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
    if (opcode === OPCODE.text) checkSent(text);
    return this.write(maskedFrame(opcode, text));
  }

  /** Sends what may be wrong, on purpose. */
  sendUnchecked(frame: object | string): boolean {
    return this.write(maskedFrame(OPCODE.text, typeof frame === 'string' ? frame : JSON.stringify(frame)));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Breaks the connection with a RST. */
  async reset(): Promise<void> {
    const closed = this.closed();
    this.socket.resetAndDestroy();
    await closed;
  }

  async closed(): Promise<void> {
    if (!this.isClosed) await once(this.events, 'closed');
  }

  /** The first text frame, read already or to come, that matches. */
  next(matches: (frame: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      let index = 0;
      const look = (): void => {
        while (index < this.frames.length) {
          const { opcode, payload } = this.frames[index++]!;
          if (opcode !== OPCODE.text) continue;
          const frame = JSON.parse(payload.toString()) as Record<string, unknown>;
          if (matches(frame)) return settle(() => resolve(frame));
        }
        if (this.isClosed) settle(() => reject(new Error(`closed with ${this.closeCode} before the frame came`)));
      };
      const settle = (finish: () => void): void => {
        this.events.off('frame', look).off('closed', look);
        finish();
      };
      this.events.on('frame', look).on('closed', look);
      look();
    });
  }

  /** Resolves when a predicate holds; it is asked after every frame and at the end. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.events.off('frame', look).off('closed', look);
        resolve();
      };
      this.events.on('frame', look).on('closed', look);
      look();
    });
  }

  private shakeHands(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (): void => reject(new Error('the connection closed during the handshake'));
      this.socket.once('close', failed);
      let head = Buffer.alloc(0);
      const read = (data: Buffer): void => {
        head = Buffer.concat([head, data]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        this.socket.off('data', read);
        this.socket.off('close', failed);
        if (!head.toString('latin1').startsWith('HTTP/1.1 101')) return reject(new Error(head.toString('latin1', 0, end)));
        this.socket.on('data', (chunk) => this.take(chunk));
        resolve();
        this.take(head.subarray(end + 4));
      };
      this.socket.on('data', read);
    });
  }

  private answerClose(payload: Buffer): void {
    this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    this.write(maskedFrame(OPCODE.close, payload));
  }

  private take(data: Buffer): void {
    let rest = this.buffered.length === 0 ? data : Buffer.concat([this.buffered, data]);
    for (;;) {
      const frame = parse(rest);
      if (!frame) break;
      rest = rest.subarray(frame.size);
      this.readCount += 1;
      if (frame.opcode === OPCODE.text) report(() => checkReceived(frame.payload.toString()));
      if (frame.opcode === OPCODE.close) this.answerClose(frame.payload);
      if (this.keep) this.frames.push({ opcode: frame.opcode, payload: Buffer.from(frame.payload) });
      this.events.emit('frame');
    }
    this.buffered = Buffer.from(rest);
  }
}

/** An unmasked, unfragmented frame at the beginning of `bytes`, if it is there whole. */
function parse(bytes: Buffer): (RawFrame & { size: number }) | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < head) return undefined;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < head + length) return undefined;
  return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(head, head + length), size: head + length };
}
