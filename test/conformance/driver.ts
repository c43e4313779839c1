/** A client under test, in a process of its own: one JSON object per line in either direction (README.md lists them). */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export interface DriverEvent {
  event: string;
  [field: string]: unknown;
}

export class Driver {
  /** Everything that the driver has said since the last `connect`. */
  readonly events: DriverEvent[] = [];
  errorOutput = '';
  private child: ChildProcess;
  private wake: () => void = () => undefined;

  /** @param patienceMs how long an expected event may take */
  constructor(
    private readonly command: readonly string[],
    private readonly environment: Record<string, string>,
    readonly patienceMs: number,
  ) {
    this.child = this.start();
  }

  do(command: { do: string; [field: string]: unknown }): void {
    if (command.do === 'connect') this.events.length = 0;
    this.child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** @throws Error unless an event with these fields is or becomes there */
  async expect(wanted: DriverEvent): Promise<DriverEvent> {
    return this.within(
      (async () => {
        for (;;) {
          const [found] = this.all(wanted);
          if (found) return found;
          await new Promise<void>((resolve) => (this.wake = resolve));
        }
      })(),
      `the client says ${JSON.stringify(wanted)}`,
    );
  }

  /** The events with these fields. */
  all(wanted: DriverEvent): DriverEvent[] {
    return this.events.filter((event) => Object.entries(wanted).every(([name, value]) => event[name] === value));
  }

  /** @throws Error naming `what`, if it does not come in time, or the driver has ended */
  async within<Value>(value: Promise<Value>, what: string): Promise<Value> {
    const over = new AbortController();
    const late = delay(this.patienceMs, `not in ${this.patienceMs} ms`, { signal: over.signal });
    const ended = this.hasEnded ? Promise.resolve() : once(this.child, 'close', { signal: over.signal });
    const failed = Promise.race([late, ended.then(() => 'the driver has ended')]).then((why) => {
      throw new Error(`${why}: ${what}. ${this.errorOutput}`);
    });
    try {
      return await Promise.race([value, failed]);
    } finally {
      over.abort();
      failed.catch(() => undefined);
    }
  }

  /** A new process: what a client did wrong in one claim does not count against it in the next. */
  async restart(): Promise<void> {
    await this.stop();
    this.errorOutput = '';
    this.child = this.start();
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await ended;
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined;
  }

  private start(): ChildProcess {
    const [command = '', ...args] = this.command;
    const child = spawn(command, args, { env: { ...process.env, ...this.environment }, stdio: 'pipe' });
    for (const source of [child, child.stdin]) source.on('error', (error: Error) => (this.errorOutput += error.message));
    child.stderr.on('data', (chunk: Buffer) => (this.errorOutput += chunk.toString()));
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line) as DriverEvent);
      this.wake();
    });
    return child;
  }
}
