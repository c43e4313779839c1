/** A client under test, in a process of its own: one JSON object per line in either direction (README.md lists them). */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface DriverEvent {
  event: string;
  [field: string]: unknown;
}

export class Driver {
  /** Everything that the driver has said since the last `connect`. */
  readonly events: DriverEvent[] = [];
  errorOutput = '';
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;
  private wake: () => void = () => undefined;

  /** @param patienceMs how long an expected event may take */
  constructor(
    [command = '', ...args]: readonly string[],
    environment: Record<string, string>,
    readonly patienceMs: number,
  ) {
    this.child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: 'pipe' });
    this.ended = once(this.child, 'close').catch((error: unknown) => (this.errorOutput += String(error)));
    this.child.stdin?.on('error', (error) => (this.errorOutput += error.message));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.errorOutput += chunk.toString()));
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.events.push(JSON.parse(line) as DriverEvent);
      this.wake();
    });
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

  /** @throws Error naming `what`, if it does not come in time */
  async within<Value>(value: Promise<Value>, what: string): Promise<Value> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not in ${this.patienceMs} ms: ${what}. ${this.errorOutput}`)), this.patienceMs);
    });
    try {
      return await Promise.race([value, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
