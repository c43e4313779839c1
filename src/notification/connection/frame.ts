/**
 * One message on its way out: stringified once, framed once, compressed at most once, for every receiver.
 *
 * Frames are written to the socket as they are, past `ws`, whose sender would frame (and deflate) once per receiver.
 * That is sound because deflate runs without context takeover, so that a compressed frame depends on nothing before it.
 */
import { constants, deflateRawSync } from 'node:zlib';

/** Payloads below this many bytes are not worth deflating. */
const COMPRESSION_THRESHOLD = 1024;
const FIN_TEXT = 0x81;
const RSV1 = 0x40;

export class OutboundFrame {
  private readonly payload: Buffer;
  private plain: Buffer | undefined;
  private deflated: Buffer | undefined;

  constructor(message: object) {
    this.payload = Buffer.from(JSON.stringify(message));
  }

  /** The bytes for one receiver, shared by all that negotiated the same. */
  wire(compress: boolean): Buffer {
    if (!compress || this.payload.length < COMPRESSION_THRESHOLD) {
      return (this.plain ??= encode(FIN_TEXT, this.payload));
    }
    return (this.deflated ??= encode(FIN_TEXT | RSV1, deflate(this.payload)));
  }
}

/** RFC 7692 §7.2.1: deflate, flush, and leave out the empty block's 00 00 ff ff. */
function deflate(payload: Buffer): Buffer {
  return deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** RFC 6455 §5.2: an unmasked, unfragmented frame. */
function encode(firstByte: number, payload: Buffer): Buffer {
  const length = payload.length;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerLength + length);
  frame[0] = firstByte;
  if (headerLength === 2) {
    frame[1] = length;
  } else if (headerLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  payload.copy(frame, headerLength);
  return frame;
}
