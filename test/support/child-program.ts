/** A program of any kind that a test runs beside itself, with what it has said kept for the day it fails. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export class Program {
  output = '';
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(private readonly child: ChildProcess) {
    this.ended = once(child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  /** Its environment is what is given and nothing else. */
  static start(command: string, args: string[], environment: Record<string, string>, folder?: string): Program {
    return new Program(spawn(command, args, { env: environment, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Runs it to its end. @throws with its output unless it ends with 0 */
  static async run(...args: Parameters<typeof Program.start>): Promise<string> {
    const program = Program.start(...args);
    const { code } = await program.ended;
    if (code !== 0) throw new Error(`${args[0]} ended with ${code}:\n${program.output}`);
    return program.output;
  }

  /** Resolves once it has said this. @throws when it ends before */
  async says(text: string): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const listen = (): void => {
        if (this.output.includes(text)) resolve();
      };
      for (const stream of [this.child.stdout, this.child.stderr]) stream?.on('data', listen);
      listen();
    });
    const over = this.ended.then(({ code }) => {
      throw new Error(`it ended with ${code} before it said ${JSON.stringify(text)}:\n${this.output}`);
    });
    await Promise.race([heard, over]);
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill(signal);
    return this.ended;
  }
}
