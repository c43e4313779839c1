/** A connection on a socket that takes everything at once and keeps it, for tests of what stands above sockets. */
import { Pacing } from '../../src/notification/pacing/pacing.js';
import { Connection, type ConnectionSocket, type Identity } from '../../src/notification/connection/connection.js';

export interface FakeConnection {
  connection: Connection;
  /** What the socket was asked for, in order; frames without their bytes. */
  calls: string[];
  /** The messages written so far, in order. */
  messages(): Record<string, unknown>[];
}

export function fakeConnection(identity: Identity = { kind: 'anonymous' }): FakeConnection {
  const calls: string[] = [];
  const writes: Buffer[] = [];
  const socket: ConnectionSocket = {
    write: (bytes) => writes.push(bytes) > 0,
    end: (code, reason) => calls.push(`close ${code} ${reason}`),
    ping: () => calls.push('ping'),
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
    terminate: () => calls.push('terminate'),
  };
  const connection = new Connection(
    socket,
    { identity, address: '127.0.0.1', compress: false },
    { maxOutbox: 1_000_000, maxFramesInWork: 64 },
    {
      onOverflow: () => calls.push('overflow'),
      onSourceError: () => calls.push('source error'),
      onCharge: (frames) => calls.push(`charge ${frames}`),
    },
    new Pacing(),
  );
  return { connection, calls, messages: () => payloadsOf(Buffer.concat(writes)) };
}

/** The messages in unmasked, uncompressed text frames, one behind the other. */
export function payloadsOf(bytes: Buffer): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const short = bytes[offset + 1] ?? 0;
    const start = offset + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(offset + 2) : Number(bytes.readBigUInt64BE(offset + 2));
    messages.push(JSON.parse(bytes.subarray(start, start + length).toString()) as Record<string, unknown>);
    offset = start + length;
  }
  return messages;
}

/** The event loop has been round: what was queued has been written. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
