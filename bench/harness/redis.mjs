/** A Redis of a contestant's own, on the core of what is not measured by itself. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { freePort } from './free-port.mjs';
import { OTHERS, startProgram } from './process.mjs';

/** The same for all; the service refuses a Redis that keeps nothing. `appendfsync everysec` is Redis' default. */
const REDIS_ARGS = ['--appendonly', 'yes', '--save', ''];

const versionLine = () => spawnSync('redis-server', ['--version']).stdout?.toString() ?? '';
/** @returns undefined where Redis is not installed */
export const redisVersion = () => /v=(\S+)/.exec(versionLine())?.[1];

export class Redis {
  async start() {
    const port = await freePort();
    this.url = `redis://127.0.0.1:${port}`;
    this.folder = mkdtempSync(join(tmpdir(), 'bench-redis-'));
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', this.folder, ...REDIS_ARGS];
    this.process = startProgram(OTHERS, ['redis-server', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.onExit = () => this.process.kill('SIGKILL');
    process.once('exit', this.onExit);
    await new Promise((resolve, reject) => {
      this.process.once('error', reject);
      this.process.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
      this.process.stdout.on('data', (data) => data.toString().includes('Ready to accept') && resolve());
    });
    this.client = await createClient({ url: this.url }).connect();
    return this;
  }

  /** @returns the processor time of all its threads so far, in microseconds, by the kernel's account */
  cpu() {
    const tasks = `/proc/${this.process.pid}/task`;
    const spent = readdirSync(tasks).map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]));
    return spent.reduce((sum, each) => sum + each, 0) / 1000;
  }

  /** @returns how much it keeps, in bytes, and how many commands it has run, those of scripts included */
  async account() {
    const [memory, commands] = await Promise.all([this.client.info('memory'), this.client.info('commandstats')]);
    const calls = [...commands.matchAll(/calls=(\d+)/g)].map(([, count]) => Number(count));
    return { bytes: Number(/used_memory:(\d+)/.exec(memory)[1]), commands: calls.reduce((sum, count) => sum + count, 0) };
  }

  async stop() {
    this.client?.destroy();
    if (this.onExit !== undefined) process.off('exit', this.onExit);
    if (this.process !== undefined && this.process.exitCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill('SIGKILL');
      await ended;
    }
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}
