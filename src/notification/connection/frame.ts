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
/** By the second byte, where that is not the length itself. */
const HEADER_LENGTHS: Record<number, number> = { 126: 4, 127: 10 };

/** A frame as a send queue holds it. */
export interface QueuedFrame {
  /** The message's type, for the metrics. */
  readonly type: string;
  /** It replaces a waiting frame of the same key. */
  readonly conflationKey?: string | undefined;
  /** It does not count towards the limit of the send queue. */
  readonly isSourced: boolean;
  /** The bytes for one receiver, shared by all that negotiated the same. */
  wire(compress: boolean): Buffer;
}

export class OutboundFrame implements QueuedFrame {
  readonly isSourced = false;
  private plain: Buffer | undefined;
  private deflated: Buffer | undefined;

  /**
   * The frame is made when the first receiver needs it.
   * @param message an object, or its JSON
   */
  constructor(
    private readonly message: object | string,
    readonly type = typeOf(message),
    readonly conflationKey?: string,
  ) {}

  wire(compress: boolean): Buffer {
    this.plain ??= frameOf(typeof this.message === 'string' ? this.message : JSON.stringify(this.message));
    return compress ? (this.deflated ??= deflatedFrameOf(this.plain)) : this.plain;
  }
}

/** A frame that was pulled from a source. */
export class SourcedFrame implements QueuedFrame {
  readonly isSourced = true;
  readonly conflationKey?: undefined;

  constructor(private readonly frame: OutboundFrame) {}

  get type(): string {
    return this.frame.type;
  }

  wire(compress: boolean): Buffer {
    return this.frame.wire(compress);
  }
}

/**
 * A publication on its way out, shared by all receivers: plain for connections that do not know the channel's epoch,
 * with `channel` and `offset` for those that do. Each variant is made when the first receiver needs it.
 */
export class PublicationFrames {
  private positionedFrame: OutboundFrame | undefined;
  readonly plain: OutboundFrame;

  /**
   * @param text the message, a JSON object
   * @param type the message's type, if the product knows it
   */
  constructor(
    private readonly channel: string,
    private readonly text: string,
    type?: string,
    conflationKey?: string,
  ) {
    this.plain = new OutboundFrame(text, type, conflationKey);
  }

  /** @param offset the publication's; the same in every call */
  positioned(offset: number): OutboundFrame {
    return (this.positionedFrame ??= new OutboundFrame(positionedText(this.text, this.channel, offset)));
  }
}

/** JSON is the application's own unless its sender says more. */
function typeOf(message: object | string): string {
  return typeof message === 'object' && 'type' in message && typeof message.type === 'string' ? message.type : '';
}

/** A publication with its place in the channel. @param text a JSON object without these two fields */
export function positionedText(text: string, channel: string, offset: number): string {
  const fields = text.slice(1, -1);
  return `{${fields}${fields && ','}"channel":${JSON.stringify(channel)},"offset":${offset}}`;
}

/** RFC 6455 §5.2: an unmasked, unfragmented frame. */
function frameOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = startFrame(FIN_TEXT, length);
  frame.write(text, frame.length - length);
  return frame;
}

/** RFC 7692 §7.2.1: deflate, flush, and leave out the empty block's 00 00 ff ff. Or the frame as it is. */
function deflatedFrameOf(plain: Buffer): Buffer {
  const payload = plain.subarray(HEADER_LENGTHS[plain[1] ?? 0] ?? 2);
  if (payload.length < COMPRESSION_THRESHOLD) return plain;
  const deflated = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  const frame = startFrame(FIN_TEXT | RSV1, deflated.length);
  deflated.copy(frame, frame.length - deflated.length);
  return frame;
}

/** A frame without its payload, which is written at its end. The header declares the number of bytes. */
function startFrame(firstByte: number, length: number): Buffer {
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
  return frame;
}

/** Whether a reply is an error. */
export function isErrorReply(message: object | string): message is { code: string } {
  return typeof message === 'object' && 'type' in message && message.type === 'error' && 'code' in message;
}
