/**
 * A process of its own: one user with a valid token who sends anything, never reads, reconnects, and calls every route.
 * At the end it writes one line of JSON: what it did, and every answer that no client should ever get.
 *
 *   node hostile-user.js '{"port":…,"token":"…","seconds":…,"seed":…,"callbackIds":["…"]}'
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { ERROR_STATUS } from '../../src/protocol/codes.js';
import { hostileFrame, hostileJson } from './hostile-values.js';
import { maskedFrame, OPCODE } from './raw-client.js';
import { Random } from './random.js';

export interface HostileOptions {
  port: number;
  token: string;
  userId: string;
  seconds: number;
  seed: number;
  /** Prompts that this user was asked. */
  callbackIds: string[];
}

export interface HostileReport {
  frames: number;
  connections: number;
  calls: number;
  closeCodes: Record<string, number>;
  errorCodes: Record<string, number>;
  statuses: Record<string, number>;
  /** Answers outside the protocol, at most 20. */
  unexpected: string[];
}

/** Its own address, so that what is limited by address touches nobody else. */
const ADDRESS = '127.0.0.66';
const CLOSE_CODES = new Set([1000, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1013, 4401, 4408, 4509]);
const FRAME_TYPES = new Set([
  'pong',
  'subscription_confirmed',
  'unsubscribed',
  'confirmation_accepted',
  'task_cancelled',
  'acknowledged',
  'authenticated',
  'pending',
  'error',
  'task_step_result',
  'confirmation_resolved',
  'confirmation_expiring',
  'recovered',
  'heartbeat',
  'task_progress',
  'news',
]);

class HostileUser {
  readonly report: HostileReport = {
    frames: 0,
    connections: 0,
    calls: 0,
    closeCodes: {},
    errorCodes: {},
    statuses: {},
    unexpected: [],
  };
  private readonly endAt: number;
  private readonly known: Record<string, string>;

  constructor(private readonly options: HostileOptions) {
    this.endAt = performance.now() + options.seconds * 1000;
    this.known = {
      user_id: JSON.stringify(options.userId),
      task_id: '"mallory-task"',
      callback_id: JSON.stringify(options.callbackIds[0] ?? 'none'),
      token: JSON.stringify(options.token),
      proceed: 'true',
      limit: '100',
      channels: '[{"channel":"broadcast"},{"channel":"task:mallory-task"}]',
      channel: '"broadcast"',
      recover: '{"epoch":"x","offset":0}',
    };
  }

  async run(): Promise<void> {
    const { seed } = this.options;
    await Promise.all([
      ...[1, 2, 3].map((own) => this.repeat(Random.of(seed, own), (random) => this.sendFrames(random))),
      this.repeat(Random.of(seed, 10), (random) => this.floodDeaf(random)),
      this.repeat(Random.of(seed, 11), (random) => this.breakProtocol(random)),
      this.repeat(Random.of(seed, 12), (random) => this.reconnect(random)),
      ...[20, 21, 22].map((own) => this.repeat(Random.of(seed, own), (random) => this.call(random))),
      this.repeat(Random.of(seed, 30), (random) => this.holdCalls(random)),
    ]);
  }

  private get isOver(): boolean {
    return performance.now() >= this.endAt;
  }

  private async repeat(random: Random, work: (random: Random) => Promise<void>): Promise<void> {
    while (!this.isOver) {
      await work(random);
      await delay(5);
    }
  }

  /** Any frames, read and checked, until the server closes. */
  private async sendFrames(random: Random): Promise<void> {
    const socket = await this.open();
    if (!socket) return;
    socket.on('message', (data: Buffer) => this.checkFrame(data.toString()));
    const frames = random.between(20, 3000);
    for (let sent = 0; sent < frames && socket.readyState === WebSocket.OPEN && !this.isOver; sent += 1) {
      socket.send(hostileFrame(random, { ...this.known, callback_id: this.callbackId(random) }));
      this.report.frames += 1;
      if (sent % 50 === 49) await delay(random.chance(0.5) ? 1 : 100);
    }
    await this.leave(socket);
  }

  /** Subscribes, pings and lists again and again without ever reading. */
  private async floodDeaf(random: Random): Promise<void> {
    const raw = await this.rawSocket();
    if (!raw) return;
    raw.pause();
    const one = random.pick([
      maskedFrame(OPCODE.text, `{"action":"subscribe","user_id":${this.known['user_id']}}`),
      maskedFrame(OPCODE.text, '{"action":"pending","limit":100}'),
      maskedFrame(OPCODE.text, '{"action":"subscribe","channel":"broadcast","recover":{"epoch":"x","offset":0}}'),
      maskedFrame(OPCODE.ping, 'x'.repeat(100)),
      maskedFrame(OPCODE.pong, 'x'),
    ]);
    const burst = Buffer.concat(Array<Buffer>(200).fill(one));
    for (let round = 0; round < 40 && !raw.destroyed && !this.isOver; round += 1) {
      raw.write(burst);
      this.report.frames += 200;
      await delay(20);
    }
    raw.destroy();
  }

  /** Frames that break RFC 6455, and halves of frames. */
  private async breakProtocol(random: Random): Promise<void> {
    const raw = await this.rawSocket();
    if (!raw) return;
    raw.resume();
    raw.write(
      random.pick([
        maskedFrame(OPCODE.text, 'x'.repeat(100_000)),
        maskedFrame(OPCODE.text, Buffer.from([0xff, 0xfe])),
        maskedFrame(3, 'x'),
        maskedFrame(OPCODE.text, hostileJson(random)).subarray(0, 5),
        maskedFrame(OPCODE.close, Buffer.from([0xff])),
        Buffer.alloc(50_000, 0),
      ]),
    );
    await Promise.race([once(raw, 'close'), delay(200)]);
    raw.destroy();
  }

  /** Comes and goes as fast as it can. */
  private async reconnect(random: Random): Promise<void> {
    const sockets = await Promise.all(Array.from({ length: random.between(1, 30) }, () => this.open()));
    for (const socket of sockets) {
      if (random.chance(0.5)) socket?.terminate();
      else if (socket) await this.leave(socket);
    }
  }

  /** Any body on any route. */
  private async call(random: Random): Promise<void> {
    const id = JSON.parse(this.callbackId(random)) as string;
    const path = random.pick([
      `/ws/confirmations/${id}/answer`,
      `/ws/confirmations/${id}`,
      '/ws/confirmations',
      '/ws/broadcast',
      `/ws/users/${this.options.userId}/confirmations?limit=${encodeURIComponent(Buffer.from(hostileJson(random).slice(0, 200)).toString())}`,
      `/ws/users/${this.options.userId}`,
      '/ws/users/ann/messages',
      '/ws/tasks/mallory-task/cancel',
      '/ws/tasks/mallory-task/heartbeat',
      '/ws/tasks/%00/messages',
      '/ws/%ff',
      '/metrics',
      '/ws/status',
      '/ws',
    ]);
    const method = random.pick(['GET', 'POST', 'POST', 'POST', 'DELETE', 'PUT', 'OPTIONS']);
    const body = random.pick([
      hostileJson(random),
      `{"proceed":true,"values":${hostileJson(random)}}`,
      `{"proceed":false,"feedback":${hostileJson(random)}}`,
      `{"values":{"list":[${Array(5000).fill('"a"').join(',')}]},"proceed":true}`,
    ]);
    const contentType = random.pick([
      'application/json',
      'application/json',
      'application/json',
      'text/plain',
      'application/xml',
    ]);
    await this.exchange(method, path, body, { 'content-type': contentType });
  }

  /** Long polls, bodies that never end, answers that are not read. */
  private async holdCalls(random: Random): Promise<void> {
    const head = (lines: string): string =>
      `${lines} HTTP/1.1\r\nHost: 127.0.0.1:${this.options.port}\r\nAuthorization: Bearer ${this.options.token}\r\n`;
    const id = JSON.parse(this.callbackId(random)) as string;
    const texts = Array.from({ length: 50 }, () =>
      random.pick([
        `${head(`GET /ws/confirmations/${id}?wait=60`)}\r\n`,
        `${head(`POST /ws/confirmations/${id}/answer`)}Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{"proceed":`,
        `${head(`GET /ws/users/${this.options.userId}/confirmations?limit=1000`)}\r\n`.repeat(30),
      ]),
    );
    const sockets = texts.map((text) => {
      const socket = connect({ port: this.options.port, host: '127.0.0.1', localAddress: ADDRESS });
      socket.on('error', () => undefined).pause();
      socket.write(text);
      this.report.calls += 1;
      return socket;
    });
    await delay(Math.min(3000, Math.max(0, this.endAt - performance.now())));
    for (const socket of sockets) socket.destroy();
  }

  private exchange(method: string, path: string, body: string, headers: Record<string, string>): Promise<void> {
    this.report.calls += 1;
    return new Promise((resolve) => {
      const call = request(
        {
          host: '127.0.0.1',
          localAddress: ADDRESS,
          port: this.options.port,
          method,
          path,
          headers: { authorization: `Bearer ${this.options.token}`, ...headers, 'content-length': Buffer.byteLength(body) },
          timeout: 5000,
        },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('error', () => resolve());
          response.on('end', () => {
            this.checkResponse(`${method} ${path}`, response.statusCode ?? 0, text);
            resolve();
          });
        },
      );
      call.on('timeout', () => call.destroy());
      call.on('error', () => resolve());
      call.end(body);
    });
  }

  private checkFrame(text: string): void {
    const frame = JSON.parse(text) as { type?: string; code?: string };
    if (frame.type === undefined || !FRAME_TYPES.has(frame.type)) return this.unexpected(`frame ${text}`);
    if (frame.type !== 'error') return;
    const { code = '' } = frame;
    count(this.report.errorCodes, code);
    if (!(code in ERROR_STATUS) || code === 'INTERNAL' || leaks(text)) this.unexpected(`frame ${text}`);
  }

  private checkResponse(what: string, status: number, text: string): void {
    count(this.report.statuses, String(status));
    if (status < 400) return;
    let code: unknown;
    try {
      code = (JSON.parse(text) as { code?: unknown }).code;
    } catch {
      return this.unexpected(`${what}: ${status} ${text}`);
    }
    if (typeof code !== 'string' || status === 500 || leaks(text)) this.unexpected(`${what}: ${status} ${text}`);
  }

  private unexpected(what: string): void {
    if (this.report.unexpected.length < 20) this.report.unexpected.push(what.slice(0, 400));
  }

  private callbackId(random: Random): string {
    return JSON.stringify(random.pick(this.options.callbackIds));
  }

  private open(): Promise<WebSocket | undefined> {
    this.report.connections += 1;
    return new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${this.options.port}/ws`, {
        localAddress: ADDRESS,
        headers: { authorization: `Bearer ${this.options.token}` },
      });
      socket.once('open', () => resolve(socket));
      socket.once('error', () => resolve(undefined));
      socket.on('error', () => undefined);
      socket.once('close', (code) => {
        count(this.report.closeCodes, String(code));
        if (!CLOSE_CODES.has(code)) this.unexpected(`close ${code}`);
      });
    });
  }

  private async leave(socket: WebSocket): Promise<void> {
    if (socket.readyState === WebSocket.CLOSED) return;
    socket.close();
    await Promise.race([once(socket, 'close'), delay(500)]);
    socket.terminate();
  }

  private async rawSocket(): Promise<Socket | undefined> {
    this.report.connections += 1;
    const socket = connect({ port: this.options.port, host: '127.0.0.1', localAddress: ADDRESS });
    socket.on('error', () => undefined);
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${this.options.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Authorization: Bearer ${this.options.token}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n`,
    );
    const [head] = (await Promise.race([once(socket, 'data'), once(socket, 'close'), delay(2000, [])])) as unknown[];
    if (Buffer.isBuffer(head) && head.toString('latin1').startsWith('HTTP/1.1 101')) return socket;
    socket.destroy();
    return undefined;
  }
}

const count = (counts: Record<string, number>, key: string): void => void (counts[key] = (counts[key] ?? 0) + 1);
const leaks = (text: string): boolean => /\bat \S+ \(|node_modules|\.js:\d+|SQLITE|ERR_[A-Z]/.test(text);

const [, , given] = process.argv;
if (given !== undefined) {
  // The victims' clients and the server come first on a machine with two cores.
  setPriority(10);
  const user = new HostileUser(JSON.parse(given) as HostileOptions);
  await user.run();
  process.stdout.write(`${JSON.stringify(user.report)}\n`);
  process.exit(0);
}
