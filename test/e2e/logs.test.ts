/** The program's logs: where they go, at which level, and that no trouble with them is trouble for the service. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { Request, Response as ExpressResponse } from 'express';
import { lastErrorHandler } from '../../src/app/graceful-express.adapter.js';
import { NotificationError } from '../../src/notification/index.js';
import { ProtocolErrorFilter } from '../../src/notification/service-door.js';
import { Program } from '../support/child-program.js';
import { TestClient } from '../support/client.js';
import { freePort } from '../support/free-port.js';
import { MAIN, startProcess } from '../support/process.js';
import { startService } from '../support/service.js';

const LONG = 'x'.repeat(250);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'notifications-'));
});
const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
  await rm(folder, { recursive: true, force: true });
});

/** Each call leaves a line of some 700 bytes. */
const ask = (url: string): Promise<Response> =>
  fetch(`${url}/ws/confirmations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: LONG, task_id: LONG, step: 1, step_result: { message: '?' } }),
  });
async function askTimes(url: string, times: number): Promise<void> {
  for (let done = 0; done < times; done += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url)));
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(20).fill(201));
    await Promise.all(answers.map((answer) => answer.arrayBuffer()));
  }
}
const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(10);
}

describe('the log', () => {
  it('goes to standard output and to the file, at the levels of its loggers, and is private', async () => {
    const file = join(folder, 'logs', 'service.log');
    const service = await startProcess({
      WEBSOCKET_LOG_FILE: file,
      WEBSOCKET_LOG_LEVEL: 'info,audit=warn,NotificationModule=silent',
    });
    let output = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await ask(service.url);
    await service.stop();
    const text = await readFile(file, 'utf8');
    expect(text).toContain(output);
    const contexts = new Set(linesOf(text).map(({ context }) => context));
    expect(contexts).toContain('App');
    expect(contexts).not.toContain('Audit');
    expect(contexts).not.toContain('NotificationModule');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('lists routes and actions at debug alone, and has fields to find a connection, a task and a confirmation by', async () => {
    const service = await startProcess({ WEBSOCKET_LOG_LEVEL: 'debug' });
    let output = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const device = await TestClient.connect(`${service.wsUrl}/ws`);
    const body = JSON.stringify({ user_id: 'ann', task_id: 'deploy', step: 1, step_result: { message: '?' }, timeout: 0.05 });
    await fetch(`${service.url}/ws/confirmations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { callback_id } = await device.next('confirmation_resolved');
    await device.close();
    await until(async () => output.includes('closed with'));
    await service.stop();
    const lines = linesOf(service.startOutput + output);
    expect(lines).toContainEqual(expect.objectContaining({ level: 20, msg: 'Mapped {/ws/status, GET} route' }));
    expect(lines).not.toContainEqual(
      expect.objectContaining({ level: 30, context: expect.stringMatching(/^(Nest|Rout|Instance)/) }),
    );
    const found = lines.filter((line) => line['callback_id'] === callback_id && line['task_id'] === 'deploy');
    expect(found.map(({ context }) => context)).toEqual(['Audit', 'Dispatcher', 'Audit']);
    const [connection] = lines.flatMap((line) => ('connection' in line ? [line['connection']] : []));
    expect(lines.filter((line) => line['connection'] === connection)).toHaveLength(2);
  });

  it('is readable on a terminal, in colours unless NO_COLOR is set, and JSON in the file beside it', async () => {
    const file = join(folder, 'service.log');
    const port = String(await freePort());
    const environment = {
      PATH: process.env['PATH'] ?? '',
      WEBSOCKET_DATA_DIR: ':memory:',
      WEBSOCKET_PORT: port,
      WEBSOCKET_LOG_FILE: file,
    };
    const show = async (more: Record<string, string>): Promise<string> => {
      // Gives the program a terminal of its own.
      const command = ['-qefc', `exec "${process.execPath}" "${MAIN}"`, '/dev/null'];
      const terminal = Program.start('script', command, { ...environment, ...more });
      try {
        await terminal.says('Open http://localhost');
        const { status } = await fetch(`http://127.0.0.1:${port}/ws/confirmations`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ user_id: 'x\u001b[31m', task_id: 'deploy', step: 1, step_result: { message: '?' } }),
        });
        expect(status).toBe(201);
        await terminal.says('task_id=deploy');
      } finally {
        await terminal.stop();
      }
      return terminal.output;
    };
    const plain = await show({ NO_COLOR: '1' });
    expect(plain).toMatch(
      new RegExp(
        `^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} INFO  \\[App\\] listening on 127.0.0.1:${port}, .* Open http://localhost:${port}/\\r$`,
        'm',
      ),
    );
    expect(plain).toContain('userId=x\\u001b[31m');
    expect(plain).not.toContain('\u001b');
    expect(await show({})).toContain('\u001b[32mINFO \u001b[0m');
    expect(linesOf(await readFile(file, 'utf8'))).toContainEqual(
      expect.objectContaining({ context: 'Audit', task_id: 'deploy' }),
    );
  }, 60_000);

  it('is left as it is, with a warning, when other users can read it', async () => {
    const file = join(folder, 'service.log');
    await writeFile(file, '');
    await chmod(file, 0o644);
    const service = await startProcess({ WEBSOCKET_LOG_FILE: file });
    await service.stop();
    expect(linesOf(await readFile(file, 'utf8'))).toContainEqual(
      expect.objectContaining({ level: 40, msg: expect.stringContaining(`${file} has mode 644`) }),
    );
    expect((await stat(file)).mode & 0o777).toBe(0o644);
  });

  it('does not hold up the service when its standard output is not read, and goes on when it is', async () => {
    const service = await startProcess();
    const { stdout } = service.child;
    stdout?.pause();
    await askTimes(service.url, 400);
    const resumed = new Promise<void>((resolve) => {
      stdout?.on('data', (chunk: Buffer) => (chunk.includes('the-last-one') ? resolve() : undefined));
    });
    stdout?.resume();
    const user_id = 'the-last-one';
    const body = JSON.stringify({ user_id, task_id: 't', step: 1, step_result: { message: '?' } });
    await fetch(`${service.url}/ws/confirmations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await resumed;
    await service.stop();
  });

  it('does not end the service when its standard output is closed', async () => {
    const service = await startProcess();
    service.child.stdout?.destroy();
    await askTimes(service.url, 20);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('keeps its lines, like the audit trail, on a disk that fills up, and the service goes on', async () => {
    const [log, audit] = [join(folder, 'service.log'), join(folder, 'audit.log')];
    const port = await freePort();
    // Files of this process may have 16 KiB, in blocks of 512 bytes.
    const child = spawn('sh', ['-c', `ulimit -f 32; exec "${process.execPath}" "${MAIN}"`], {
      env: {
        PATH: process.env['PATH'] ?? '',
        WEBSOCKET_HOST: '127.0.0.1',
        WEBSOCKET_PORT: String(port),
        WEBSOCKET_DATA_DIR: ':memory:',
        WEBSOCKET_LOG_FILE: log,
        WEBSOCKET_LOG_LEVEL: 'debug',
        WEBSOCKET_AUDIT_FILE: audit,
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    endings.push(async () => {
      if (child.exitCode === null && child.kill()) await once(child, 'exit');
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const url = `http://127.0.0.1:${port}`;
    await until(async () => output.includes('listening on'));
    await askTimes(url, 40);
    const refused = await fetch(`${url}/ws/confirmations/unknown`);
    expect([refused.status, refused.headers.get('content-type')]).toEqual([404, expect.stringContaining('json')]);
    await until(async () => output.includes(`${log} cannot be written: EFBIG`) && output.includes(`${audit} cannot be written`));
    const audited = (text: string): unknown[] => linesOf(text).filter((line) => line['what'] === 'opened');
    expect(audited(output.slice(0, output.lastIndexOf('\n'))).length).toBeGreaterThan(10);
    // With room again, here in a new file, the trail gets what was kept: in order and whole.
    await rename(audit, `${audit}.1`);
    await until(async () => (await readFile(audit, 'utf8').catch(() => '')).endsWith('\n'));
    const trail = (await readFile(`${audit}.1`, 'utf8')) + (await readFile(audit, 'utf8'));
    expect(audited(trail).length).toBe(40);
  });

  it('never stops a start when it cannot be opened', async () => {
    const service = await startProcess({ WEBSOCKET_LOG_FILE: folder, WEBSOCKET_AUDIT_FILE: join('/dev/null', 'audit.log') });
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
    await service.stop();
  });
});

describe('an error', () => {
  it('leaves as JSON also when the answer to it cannot be made', async () => {
    const service = await startService();
    const unwritable = new NotificationError('FORBIDDEN', 'no', { fields: { count: 1n as unknown as string } });
    const server = createServer((request, response) => {
      if (request.url === '/filter')
        service.app.get(ProtocolErrorFilter).catch(unwritable, new ExecutionContextHost([request, response]));
      else lastErrorHandler(new Logger())(unwritable, request as Request, response as ExpressResponse, () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    for (const path of ['/filter', '/last']) {
      const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
      expect([answer.status, await answer.json()]).toEqual([500, { code: 'INTERNAL', message: 'internal error' }]);
    }
    server.closeAllConnections();
    server.close();
    await service.stop();
  });
});
