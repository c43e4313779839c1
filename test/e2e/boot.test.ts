/** Starting and stopping the real program: what can be mended is one clear line, what was promised survives. */
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../src/app/app.config.js';
import { TestClient } from '../support/client.js';
import { ConfigurationError } from '../../src/notification/index.js';
import { startService } from '../support/service.js';
import { runToEnd, spawnService, startProcess } from '../support/process.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'notifications-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a start that cannot succeed', () => {
  it('names a wrong setting in one line', async () => {
    const { code, stderr, stdout } = await runToEnd({ WEBSOCKET_PORT: 'eighty', WEBSOCKET_DATA_DIR: ':memory:' });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toEqual(['WEBSOCKET_PORT is "eighty", but takes a port, 0 to 65535']);
  });

  it('names a port that is taken in one line', async () => {
    const running = await startProcess();
    const { code, stderr } = await runToEnd({
      WEBSOCKET_HOST: '127.0.0.1',
      WEBSOCKET_PORT: String(running.port),
      WEBSOCKET_DATA_DIR: ':memory:',
    });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(`127.0.0.1:${running.port} is taken`)]);
    await running.stop();
  });

  /** The program prints this message as it is: the two tests above see it do so. */
  const refusal = async (environment: Record<string, string>): Promise<string> => {
    const started = startService({ environment }).then((service) => service.stop());
    return started.then(
      () => 'started',
      (error: unknown) => {
        expect(error).toBeInstanceOf(ConfigurationError);
        return (error as Error).message;
      },
    );
  };

  it.each(['no-such-name.invalid', '192.0.2.1', 'fe80::1%nowhere'])(
    'blames the host that cannot be listened on: %s',
    async (host) => {
      expect(await refusal({ WEBSOCKET_HOST: host, WEBSOCKET_DATA_DIR: ':memory:' })).toContain(
        `WEBSOCKET_HOST is "${host}", which cannot be listened on`,
      );
    },
  );

  it('names a data folder that is a file', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'x');
    expect(await refusal({ WEBSOCKET_DATA_DIR: file })).toContain(file);
  });

  it('names a data folder that cannot be written', async () => {
    await chmod(folder, 0o500);
    // Root may write anywhere but to the kernel's own file system.
    const unwritable = process.getuid?.() === 0 ? '/sys/notifications' : folder;
    expect(await refusal({ WEBSOCKET_DATA_DIR: unwritable })).toContain(unwritable);
  });

  it('is refused in production without a choice of authentication', async () => {
    const { NODE_ENV } = process.env;
    process.env['NODE_ENV'] = 'production';
    try {
      expect(await refusal({ WEBSOCKET_DATA_DIR: ':memory:' })).toContain('WEBSOCKET_AUTH=none');
      expect(await refusal({ WEBSOCKET_DATA_DIR: ':memory:', WEBSOCKET_AUTH: 'none' })).toBe('started');
    } finally {
      process.env['NODE_ENV'] = NODE_ENV;
    }
  });
});

describe('a start', () => {
  /** The log's last line, once it says where the service listens. */
  async function lastLine(environment: Record<string, string>): Promise<string> {
    const child = spawnService({ WEBSOCKET_PORT: '0', WEBSOCKET_DATA_DIR: ':memory:', ...environment });
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    while (!/listening on [^\n]*\n$/.test(output)) await once(child.stdout!, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    return (JSON.parse(output.trim().split('\n').at(-1) ?? '{}') as { msg: string }).msg;
  }

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'in open mode that nobody chose',
      {},
      /^listening on 127\.0\.0\.1:(\d+), for this machine only: .*WEBSOCKET_AUTH=jwt.*WEBSOCKET_AUTH=none.*\. Open http:\/\/localhost:\1\/$/,
    ],
    ['in open mode by choice', { WEBSOCKET_AUTH: 'none' }, /^listening on 0\.0\.0\.0:(\d+)\. Open http:\/\/localhost:\1\/$/],
    [
      'behind a public address and without the page',
      { WEBSOCKET_AUTH: 'none', WEBSOCKET_CONSOLE: 'off', WEBSOCKET_PUBLIC_URL: 'https://ask.example/people/' },
      /^listening on 0\.0\.0\.0:\d+\. Open https:\/\/ask\.example\/people\/docs$/,
    ],
  ])('ends its log with the address on which it listens, and the one to open: %s', async (_what, environment, line) => {
    expect(await lastLine(environment)).toMatch(line);
  });
});

describe('the address to listen on', () => {
  it.each<[string, Record<string, string>, object]>([
    [
      'every one in secure mode',
      { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: 'x'.repeat(32) },
      { host: '0.0.0.0', openByDefault: false },
    ],
    ['that of the setting in open mode', { WEBSOCKET_HOST: '0.0.0.0' }, { host: '0.0.0.0' }],
    [
      'that of the setting in open mode by choice',
      { WEBSOCKET_HOST: '127.0.0.1', WEBSOCKET_AUTH: 'none' },
      { host: '127.0.0.1', openByDefault: false },
    ],
  ])('is %s', (_what, environment, expected) => {
    expect(readConfig(environment)).toMatchObject(expected);
  });
});

describe('settings', () => {
  it.each([
    ['WEBSOCKET_PORT', '70000'],
    ['WEBSOCKET_MAX_CONNECTIONS', '0'],
    ['WEBSOCKET_MAX_CONNECTIONS', '1e3'],
    ['WEBSOCKET_TIMEOUT_DECISION', 'maybe'],
    ['WEBSOCKET_PING_INTERVAL', '-1'],
    ['WEBSOCKET_COMPRESSION', 'yes'],
    ['WEBSOCKET_JWKS_URL', 'file:///keys'],
    ['WEBSOCKET_AUTH', 'basic'],
  ])('name themselves, their value and what they take when they are wrong: %s=%s', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name} is "${value}", but takes .+`));
  });

  it.each([
    ['jwt without a key', { WEBSOCKET_AUTH: 'jwt' }],
    ['two keys', { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: 'x'.repeat(32), WEBSOCKET_JWKS_URL: 'https://keys.example' }],
    ['a short secret', { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: 'short' }],
    ['a key that is none', { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_PUBLIC_KEY: 'nonsense' }],
    ['a key without secure mode', { WEBSOCKET_JWT_SECRET: 'x'.repeat(32) }],
  ])('do not start half secured: %s', (_what, environment) => {
    expect(() => readConfig(environment)).toThrow('WEBSOCKET_');
  });

  it('warn of a name that is none', () => {
    expect(readConfig({ WEBSOCKET_POT: '1' }).warnings).toEqual([expect.stringContaining('WEBSOCKET_POT')]);
  });

  it('take an empty value for one that is not set', () => {
    expect(readConfig({ WEBSOCKET_PORT: '' }).port).toBe(8765);
  });
});

describe('the program', () => {
  it('closes its connections with 1012 on SIGTERM, and a prompt can be answered after the next start', async () => {
    const first = await startProcess({ WEBSOCKET_DATA_DIR: folder });
    const client = await TestClient.connect(`${first.wsUrl}/ws`);
    await client.request({ action: 'subscribe', user_id: 'ann' });
    const opened = await fetch(`${first.url}/ws/confirmations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
      body: JSON.stringify({ user_id: 'ann', task_id: 't', step: 1, step_result: { message: '?' } }),
    });
    const { callback_id } = (await opened.json()) as { callback_id: string };
    const ending = first.stop();
    expect(await client.closed()).toEqual({ code: 1012, reason: 'service restart' });
    expect(await ending).toEqual({ code: 0, signal: null });
    const second = await startProcess({ WEBSOCKET_DATA_DIR: folder });
    const back = await TestClient.connect(`${second.wsUrl}/ws`);
    expect(await back.request({ action: 'subscribe', user_id: 'ann' })).toMatchObject({ pending: [callback_id] });
    expect(await back.next('task_step_result')).toMatchObject({ callback_id, redelivered: true });
    expect(await back.request({ action: 'confirm', callback_id, proceed: true })).toMatchObject({
      type: 'confirmation_accepted',
    });
    await second.stop();
  });

  it('demo answers by itself, prints the three steps and ends', () => {
    const demo = fileURLToPath(new URL('../../examples/demo/demo.js', import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [demo, '--yes'], { encoding: 'utf8', timeout: 15_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const part of [
      'progress 50 %',
      'Loading failed',
      'got the answer: retry (proceed: true, outcome: answered)',
      'result: done',
    ])
      expect(stdout).toContain(part);
  });
});
