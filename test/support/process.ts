/** The real program in a process of its own, as `npm start` runs it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface ServiceProcess {
  child: ChildProcess;
  /** What it has written until it listened. */
  startOutput: string;
  port: number;
  url: string;
  wsUrl: string;
  /** Resolves when the process has ended. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export function spawnService(environment: Record<string, string>): ChildProcess {
  const { PATH = '' } = process.env;
  return spawn(process.execPath, [MAIN], { env: { PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Starts the program and waits until it listens, which it says at log level `info`. */
export async function startProcess(environment: Record<string, string> = {}): Promise<ServiceProcess> {
  const child = spawnService({
    WEBSOCKET_HOST: '127.0.0.1',
    WEBSOCKET_PORT: '0',
    WEBSOCKET_DATA_DIR: ':memory:',
    WEBSOCKET_DRAIN_TIMEOUT: '0',
    ...environment,
  });
  const ended = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const { port, output: startOutput } = await listening(child);
  return {
    child,
    startOutput,
    port,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}`,
    ended,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

/** Runs the program until it ends by itself. */
export async function runToEnd(
  environment: Record<string, string>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawnService(environment);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const patience = setTimeout(() => child.kill('SIGKILL'), 15_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(patience);
  return { code, ...output };
}

function listening(child: ChildProcess): Promise<{ port: number; output: string }> {
  return new Promise((resolve, reject) => {
    let output = '';
    let listens = false;
    const read = (chunk: Buffer): void => {
      if (listens) return; // read on, so that it never waits for us
      output += chunk.toString();
      const port = /listening on [^"]*:(\d+)/.exec(output)?.[1];
      if (port === undefined) return;
      listens = true;
      resolve({ port: Number(port), output });
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => reject(new Error(`the service ended with ${code} before it listened:\n${output}`)));
  });
}
