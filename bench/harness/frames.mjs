/** WebSocket frames of a client that spends as little as it can: no library, no copies, a mask of zeros. */
const TEXT = 0x81;
const PONG = 0x8a;
export const OPCODE = { text: 1, close: 8, ping: 9 };

function frame(first, payload) {
  const { length } = payload;
  if (length > 0xffff) throw new RangeError('a client sends short frames only');
  const extended = length > 125;
  const head = Buffer.alloc(extended ? 8 : 6);
  head[0] = first;
  head[1] = 0x80 | (extended ? 126 : length);
  if (extended) head.writeUInt16BE(length, 2);
  return Buffer.concat([head, payload]);
}

export const textFrame = (text) => frame(TEXT, Buffer.from(text));
export const pongFrame = (payload) => frame(PONG, payload);

/** Cuts a server's bytes into frames, which are neither masked nor in fragments. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  /** @param onFrame called with the opcode and the payload of each whole frame */
  constructor(onFrame) {
    this.onFrame = onFrame;
  }

  push(chunk) {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (data.length - at >= 2) {
      const short = data[at + 1] & 0x7f;
      let start = at + 2;
      let length = short;
      if (short === 126) {
        if (data.length - at < 4) break;
        length = data.readUInt16BE(at + 2);
        start = at + 4;
      } else if (short === 127) {
        if (data.length - at < 10) break;
        length = Number(data.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (data.length < start + length) break;
      this.onFrame(data[at] & 0x0f, data.subarray(start, start + length));
      at = start + length;
    }
    this.#rest = at === data.length ? EMPTY : Buffer.from(data.subarray(at));
  }
}
const EMPTY = Buffer.alloc(0);
