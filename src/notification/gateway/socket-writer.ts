/**
 * Writes ready-made frames to sockets.
 *
 * `socket.write` costs as much as the system call beneath it: the stream's state, an object per request, a tick for the callback.
 * Where nothing waits in a TCP socket, this class calls the socket's handle, as `net` does. That interface is private to
 * Node.js. Where it is missing, for TLS, for a socket in which bytes wait, and after a failed write, `socket.write` is used.
 *
 *  1. The handle keeps the order. What it cannot write at once leaves before later writes, pings and the close.
 *  2. A request that was written at once is used again, for any socket. Another one belongs to its bytes until it completes.
 */
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { getSystemErrorName } from 'node:util';

interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Keeps the bytes alive. */
  buffer?: Buffer;
}

/** What `net` keeps in `socket._handle`. */
interface Handle {
  /** @returns 0, or the number of an error */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest;
  streamBaseState: Int32Array;
  /** The index of what says whether the last write has to complete later. */
  kLastWriteWasAsync: number;
}

export class SocketWriter {
  private readonly binding = streamBinding();
  private request: WriteRequest | undefined;

  /** Writes as `SendSocket` says. */
  write(socket: Duplex, bytes: Buffer, written: (error?: Error | null) => void): boolean {
    const { binding } = this;
    const isTaken = binding && isPlainSocket(socket) ? this.writeToHandle(binding, socket, bytes, written) : undefined;
    return isTaken ?? writeToStream(socket, bytes, written);
  }

  /** @returns `undefined` if nothing was written */
  private writeToHandle(
    { WriteWrap, streamBaseState, kLastWriteWasAsync }: StreamBinding,
    socket: Socket & { _handle?: Handle | null },
    bytes: Buffer,
    written: () => void,
  ): boolean | undefined {
    const handle = socket._handle;
    if (!handle || socket.writableLength > 0 || socket.writableCorked > 0) return undefined;
    const request = (this.request ??= new WriteWrap());
    const error = handle.writeBuffer(request, bytes);
    if (error === 0 && streamBaseState[kLastWriteWasAsync] === 0) return true;
    this.request = undefined;
    if (error !== 0) return undefined;
    request.buffer = bytes;
    request.oncomplete = (status) => {
      if (status < 0) socket.destroy(new Error(`write ${getSystemErrorName(status)}`));
      else written();
    };
    return false;
  }
}

function writeToStream(socket: Duplex, bytes: Buffer, written: (error?: Error | null) => void): boolean {
  let isTaken = false;
  socket.write(bytes, (error) => {
    if (!isTaken) written(error);
  });
  isTaken = socket.writableLength === 0;
  return isTaken;
}

/** Whether `write` goes straight to a TCP handle: no TLS, nobody between. */
function isPlainSocket(socket: Duplex): socket is Socket {
  if (Object.getPrototypeOf(socket) !== Socket.prototype || socket.write !== Duplex.prototype.write) return false;
  const { _handle: handle } = socket as { _handle?: Partial<Handle> | null };
  return typeof handle?.writeBuffer === 'function';
}

/** @returns `undefined` if this Node.js does not give it, or gives something else */
function streamBinding(): StreamBinding | undefined {
  const { binding } = process as { binding?: (name: string) => Partial<StreamBinding> };
  try {
    const found = binding?.('stream_wrap') ?? {};
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = found;
    if (typeof WriteWrap !== 'function' || !ArrayBuffer.isView(streamBaseState)) return undefined;
    return kLastWriteWasAsync === undefined ? undefined : { WriteWrap, streamBaseState, kLastWriteWasAsync };
  } catch {
    return undefined; // Denied, by Node's permission model for instance.
  }
}
