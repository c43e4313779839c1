/** The real program as a child whose event loop can be blocked, whose process can be stopped, and whose wall clock can jump. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const HOOK = new URL('./stall-hook.js', import.meta.url).href;

export class StallableNode {
  port = 0;

  private constructor(
    readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** @param environment settings beyond those that every node of a test has */
  static async start(environment: Record<string, string>): Promise<StallableNode> {
    const folder = mkdtempSync(join(tmpdir(), 'stallable-'));
    const clockFile = join(folder, 'clock');
    writeFileSync(clockFile, '+0\n');
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, ['--import', HOOK, MAIN], {
      env: {
        PATH,
        LD_PRELOAD: fakeTimeLibrary(),
        FAKETIME_TIMESTAMP_FILE: clockFile,
        FAKETIME_CACHE_DURATION: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
        WEBSOCKET_HOST: '127.0.0.1',
        WEBSOCKET_PORT: '0',
        WEBSOCKET_DATA_DIR: ':memory:',
        WEBSOCKET_DRAIN_TIMEOUT: '0',
        WEBSOCKET_TIMEOUT_DECISION: 'proceed',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const node = new StallableNode(child, folder);
    try {
      node.port = await listeningPort(child);
      return node;
    } catch (error) {
      await node.end();
      throw error;
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Resolves when the loop has been blocked for `ms`; reads nothing meanwhile. */
  async block(ms: number): Promise<void> {
    this.child.send(ms);
    await delay(ms);
  }

  /** Stops the whole process, threads included, for `ms`. */
  async freeze(ms: number): Promise<void> {
    this.child.kill('SIGSTOP');
    await delay(ms);
    this.child.kill('SIGCONT');
  }

  /** Sets the wall clock to the real time plus `seconds`; the monotonic clock goes on. */
  setClock(seconds: number): void {
    writeFileSync(join(this.folder, 'clock'), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  async end(): Promise<void> {
    this.child.kill('SIGCONT');
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function fakeTimeLibrary(): string {
  for (const root of ['/usr/lib', '/usr/lib64']) {
    if (!existsSync(root)) continue;
    for (const folder of ['', ...readdirSync(root)]) {
      const file = join(root, folder, 'faketime', 'libfaketimeMT.so.1');
      if (existsSync(file)) return file;
    }
  }
  throw new Error('libfaketime is not installed (Debian: faketime)');
}

function listeningPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer): void => {
      if (output === '(read)') return;
      output += chunk.toString();
      const port = /listening on [^"]*:(\d+)/.exec(output)?.[1];
      if (port === undefined) return;
      output = '(read)';
      resolve(Number(port));
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => reject(new Error(`the node ended with ${code} before it listened:\n${output}`)));
  });
}
