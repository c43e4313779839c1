/** A person's device without a socket: a real connection of the hub, whose frames are read in the same process. */
import { Pacing } from '../notification/pacing/pacing.js';
import type { INestApplicationContext } from '@nestjs/common';
import { Connection, type ConnectionSocket } from '../notification/connection/connection.js';
import { Hub } from '../notification/connection/hub.js';
import { ResolvedOptions } from '../notification/notification.options.js';
import { clearTimeout, setTimeout } from '../notification/pacing/time-source.js';
import { Identities } from '../notification/subscription/identities.js';

/** How long, by the real clock, a device waits for a message before it says what it has got instead. */
const PATIENCE_MS = 2000;

/** A message of the service, or of the application. */
export interface SentMessage {
  type: string;
  readonly [field: string]: unknown;
}

interface Waiter {
  readonly matches: (message: SentMessage) => boolean;
  resolve(message: SentMessage): void;
}

export class Device {
  /** Everything that the device was sent, in order. */
  readonly messages: SentMessage[] = [];
  private readonly waiters = new Set<Waiter>();
  private readonly connection: Connection;

  private constructor(
    private readonly hub: Hub,
    private readonly name: string,
    limits: ResolvedOptions,
    pacing: Pacing,
  ) {
    const fail = (error?: unknown): void => {
      throw new Error(`the device of ${name} failed: ${String(error)}`);
    };
    this.connection = new Connection(
      this.socket(),
      { identity: { kind: 'anonymous' }, address: 'in-process', compress: false },
      limits,
      { onOverflow: fail, onSourceError: fail, onCharge: () => undefined },
      pacing,
    );
  }

  /** Connects as a user; what is pending is shown. */
  static async connect(host: INestApplicationContext, userId: string): Promise<Device> {
    const find = { strict: false };
    const device = new Device(
      host.get(Hub, find),
      userId,
      host.get<ResolvedOptions>(ResolvedOptions, find),
      host.get(Pacing, find),
    );
    device.hub.add(device.connection);
    await host.get(Identities, find).becomeUser(device.connection, { kind: 'user', userId });
    device.connection.startFollowing();
    return device;
  }

  /** The first message that matches, of those that have come and those to come. @throws Error after 2 s without one */
  async next(what: string, matches: (message: SentMessage) => boolean): Promise<SentMessage> {
    const found = this.messages.find(matches);
    if (found) return found;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        matches,
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      };
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        const got = this.messages.map(({ type }) => type).join(', ') || 'nothing';
        reject(new Error(`${this.name} waited ${PATIENCE_MS / 1000} s for ${what}, and was sent: ${got}`));
      }, PATIENCE_MS);
      this.waiters.add(waiter);
    });
  }

  /** Asks every waiter again whether a message matches: what matches may change with time. */
  reconsider(): void {
    for (const waiter of this.waiters) {
      const found = this.messages.find(waiter.matches);
      if (!found) continue;
      this.waiters.delete(waiter);
      waiter.resolve(found);
    }
  }

  disconnect(): void {
    this.hub.remove(this.connection);
    this.connection.closed();
  }

  private socket(): ConnectionSocket {
    const ignore = (): void => undefined;
    return {
      write: (bytes) => {
        for (const message of messagesIn(bytes)) this.receive(message);
        return true;
      },
      end: () => this.disconnect(),
      terminate: () => this.disconnect(),
      ping: ignore,
      pause: ignore,
      resume: ignore,
    };
  }

  private receive(message: SentMessage): void {
    this.messages.push(message);
    this.reconsider();
  }
}

/** RFC 6455 §5.2: the messages of unmasked, unfragmented text frames. */
function messagesIn(bytes: Buffer): SentMessage[] {
  const messages: SentMessage[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const short = bytes.readUInt8(offset + 1);
    const start = offset + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(offset + 2) : Number(bytes.readBigUInt64BE(offset + 2));
    messages.push(JSON.parse(bytes.toString('utf8', start, start + length)) as SentMessage);
    offset = start + length;
  }
  return messages;
}
