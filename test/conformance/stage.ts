/** One claim's surroundings: a scripted server, a proxy that breaks connections, and the client under test. */
import { strict as assert } from 'node:assert';
import { ScriptedServer, type ClientFrame, type ScriptedConnection, type Start } from '../support/scripted-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import type { Driver } from './driver.js';

export const USER = 'user:ann';

export class Stage {
  private constructor(
    readonly driver: Driver,
    readonly server: ScriptedServer,
    readonly proxy: TcpProxy,
  ) {}

  static async open(driver: Driver): Promise<Stage> {
    const server = await ScriptedServer.start();
    return new Stage(driver, server, await TcpProxy.start({ port: server.port }));
  }

  connect(channels: string[] = [], more: object = { user_id: 'ann' }): void {
    this.driver.do({ do: 'connect', url: `ws://127.0.0.1:${this.proxy.port}/ws`, channels, quiet_ms: 1000, ...more });
  }

  next(): Promise<ScriptedConnection> {
    return this.driver.within(this.server.next(), 'the client connects');
  }

  /** Confirms subscriptions until the client has all these channels. @returns the frames that asked for them */
  async join(connection: ScriptedConnection, channels: string[], starts: Record<string, Start> = {}): Promise<ClientFrame[]> {
    const missing = new Set([...channels, USER]);
    const frames: ClientFrame[] = [];
    while (missing.size > 0) {
      const frame = await this.driver.within(connection.welcome(starts), `the client subscribes to ${[...missing].join(', ')}`);
      frames.push(frame);
      for (const { channel } of frame.channels ?? []) missing.delete(channel);
    }
    return frames;
  }

  /** The first connection, subscribed. */
  async begin(channels: string[] = []): Promise<ScriptedConnection> {
    this.connect(channels);
    const connection = await this.next();
    await this.join(connection, channels);
    return connection;
  }

  async action(connection: ScriptedConnection, action: string): Promise<ClientFrame> {
    return this.driver.within(connection.next(action), `the client sends ${action}`);
  }

  /** Shows a prompt and waits until the client has it: whatever was sent before has been handled then. */
  async ask(connection: ScriptedConnection, callbackId: string, more: object = {}): Promise<void> {
    connection.prompt(callbackId, more);
    await this.driver.expect({ event: 'asked', callback_id: callbackId });
  }

  /** No further connection within this time. */
  async staysAway(ms: number): Promise<void> {
    const before = this.server.connects;
    await new Promise((resolve) => setTimeout(resolve, ms));
    assert.equal(this.server.connects, before, `the client stays away for ${ms} ms`);
  }

  async close(): Promise<void> {
    this.driver.do({ do: 'close' });
    await this.proxy.close();
    await this.server.stop();
  }
}

export const sent = (connection: ScriptedConnection, action: string): number =>
  connection.frames.filter((frame) => frame.action === action).length;
