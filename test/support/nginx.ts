/**
 * The real nginx in front of what a test has started, run on deploy/nginx.conf itself: only upstream addresses, the
 * port and the folders that it writes to are replaced. A child process in the foreground, with a folder of its own;
 * root or not makes no difference.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findBinary } from './system.js';

export interface Nginx {
  /** `http://127.0.0.1:<port>` */
  url: string;
  /** Ends it, and tells what it wrote into its logs. Again: the same. */
  stop(): Promise<{ accessLog: string; errorLog: string }>;
}

const ATTEMPTS = 3;
const START_TIMEOUT_MS = 5_000;

/** @param upstreams `host:port` of each node */
export async function startNginx({ upstreams }: { upstreams: string[] }): Promise<Nginx> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(upstreams, await freePort());
    } catch (error) {
      // Somebody else may have taken the port meanwhile.
      if (attempt === ATTEMPTS || !String(error).includes('Address already in use')) throw error;
    }
  }
}

/** What `nginx -t` says of the file; rejects when nginx refuses it. */
export async function checkNginx(upstreams: string[]): Promise<string> {
  const prefix = await prepare(upstreams, await freePort());
  try {
    const child = run(prefix, ['-t']);
    const output = collect(child);
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(output());
    return output();
  } finally {
    await rm(prefix, { recursive: true, force: true });
  }
}

async function start(upstreams: string[], port: number): Promise<Nginx> {
  const prefix = await prepare(upstreams, port);
  const child = run(prefix, ['-g', 'daemon off;']);
  const output = collect(child);
  const ended = once(child, 'close');
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const end: Nginx['stop'] = async () => {
    child.kill('SIGTERM');
    await ended;
    process.off('exit', kill);
    const [accessLog = '', errorLog = ''] = await Promise.all(
      ['access.log', 'error.log'].map((name) => readFile(join(prefix, name), 'utf8').catch(() => '')),
    );
    await rm(prefix, { recursive: true, force: true });
    return { accessLog, errorLog };
  };
  let stopped: ReturnType<typeof end> | undefined;
  const stop: typeof end = () => (stopped ??= end());
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await accepts(port))) {
    if (child.exitCode === null && Date.now() < deadline) {
      await pause(5);
      continue;
    }
    await stop();
    throw new Error(`nginx did not start: ${output()}`);
  }
  return { url: `http://127.0.0.1:${port}`, stop };
}

async function prepare(upstreams: string[], port: number): Promise<string> {
  const prefix = await mkdtemp(join(tmpdir(), 'nginx-'));
  await chmod(prefix, 0o755); // workers of a root's nginx are another user
  const file = await readFile('deploy/nginx.conf', 'utf8');
  await writeFile(join(prefix, 'nginx.conf'), rewrite(file, { upstreams, port, prefix }));
  await (await open(join(prefix, 'error.log'), 'a')).close();
  return prefix;
}

function rewrite(file: string, { upstreams, port, prefix }: { upstreams: string[]; port: number; prefix: string }): string {
  const groups = /(^ *server node\d+:\d+.*;\n)+/gm;
  if (file.search(groups) < 0) throw new Error('deploy/nginx.conf has no upstream server');
  return file
    .replace(groups, (_lines, last: string) => upstreams.map((address) => last.replace(/node\d+:\d+/, address)).join(''))
    .replace('listen 8080;', `listen 127.0.0.1:${port};`)
    .replaceAll(/ (\/tmp|\/var\/log\/nginx)\//g, ` ${prefix}/`);
}

function run(prefix: string, args: string[]): ChildProcess {
  return spawn(
    findBinary('nginx') ?? 'nginx',
    ['-p', prefix, '-c', join(prefix, 'nginx.conf'), '-e', join(prefix, 'error.log'), ...args],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
}

function collect(child: ChildProcess): () => string {
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return () => output.trim();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
