/** What operators read: counts that are exact for known traffic, lines for what clients do, and who may read the files. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NotificationMetrics } from '../../src/notification/index.js';
import { Connection } from '../../src/notification/connection/connection.js';
import { OutboundFrame } from '../../src/notification/connection/frame.js';
import { startProcess } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';

async function valueOf(service: TestService, name: string, labels: Record<string, string> = {}): Promise<number> {
  const { values } = (await service.app.get(NotificationMetrics).registry.getSingleMetric(name)?.get()) ?? { values: [] };
  const found = values.find((value) => Object.entries(labels).every(([label, text]) => String(value.labels[label]) === text));
  return found?.value ?? 0;
}

/** @returns the status of a handshake that is refused */
const handshake = (port: number, path: string, headers: Record<string, string>): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', ...headers };
    request({ port, host: '127.0.0.1', path, headers: upgrade }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });

describe('the counts of a service with known traffic', () => {
  it('are exact for connections, frames, errors, prompts, decisions and messages', async () => {
    const service = await startService();
    const ann = await service.connectAs('ann');
    await service.connectAs('ann');
    service.ask({ message: '?' }, 'ann', 't1', 1);
    const { callback_id } = await ann.next('task_step_result');
    await ann.request({ action: 'confirm', callback_id, proceed: true });
    ann.send('{');
    await ann.next({ code: 'INVALID_JSON' });
    await ann.request({ action: 'confirm', callback_id: 'unknown', proceed: true });
    const before = await valueOf(service, 'websocket_messages_sent_total');
    await service.rest('POST', '/ws/broadcast', { type: 'news' });
    expect((await valueOf(service, 'websocket_messages_sent_total')) - before).toBe(2);
    for (const [name, labels, value] of [
      ['websocket_connections_total', {}, 2],
      ['websocket_connections', {}, 2],
      ['websocket_frames_received_total', {}, 5],
      ['websocket_errors_total', { code: 'INVALID_JSON' }, 1],
      ['websocket_errors_total', { code: 'NOT_FOUND' }, 1],
      ['confirmations_opened_total', {}, 1],
      ['confirmations_decided_total', { outcome: 'answered' }, 1],
    ] as const)
      expect([name, labels, await valueOf(service, name, labels)]).toEqual([name, labels, value]);
    await service.stop();
  });

  it('include every refused handshake', async () => {
    const service = await startService();
    const key = { 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
    const statuses = [
      await handshake(service.port, '/elsewhere', key),
      await handshake(service.port, '/ws', { 'sec-websocket-key': 'short' }),
      await handshake(service.port, '/ws', { ...key, origin: 'https://evil.example' }),
    ];
    expect(statuses).toEqual([404, 400, 403]);
    expect((await service.rest('GET', '/ws/health')).body).toMatchObject({ metrics: { failed_connections: 3 } });
    await service.stop();
  });

  it('include all messages that a reader was cut with', () => {
    let failed = 0;
    const events = {
      onOverflow: (): void => connection.cut({ code: 4408, reason: 'slow' }),
      onSourceError: () => undefined,
      onCharge: () => undefined,
      onDropped: (frames: number) => void (failed += frames),
    };
    const socket = {
      write: () => false,
      close: () => undefined,
      ping: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
      terminate: () => undefined,
    };
    const limits = { maxOutbox: 39_500, maxFramesInWork: 1 };
    const connection = new Connection(socket, { identity: { kind: 'anonymous' }, address: 'a', compress: false }, limits, events);
    for (let index = 0; index < 50; index += 1) connection.send(new OutboundFrame({ text: 'x'.repeat(985) }));
    connection.closed();
    expect(failed).toBe(40);
  });
});

describe('the log of a service', () => {
  it('has lines for connections, bad JSON, an unknown callback and a time-out', async () => {
    const service = await startProcess({ WEBSOCKET_LOG_LEVEL: 'debug,Audit=silent' });
    let output = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const { TestClient } = await import('../support/client.js');
    const client = await TestClient.connect(`${service.wsUrl}/ws`);
    for (let index = 0; index < 3; index += 1) client.send('{');
    await client.request({ action: 'confirm', callback_id: 'unknown', proceed: true });
    await fetch(`${service.url}/ws/confirmations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: 'ann', task_id: 't', step: 1, step_result: { message: '?' }, timeout: 0.01 }),
    });
    await client.next({ type: 'confirmation_resolved' });
    await client.close();
    await service.stop();
    const lines = output.split('\n').filter((line) => /Endpoint|Dispatcher/.test(line));
    const levelsOf = (text: string): unknown[] =>
      lines.filter((line) => line.includes(text)).map((line) => (JSON.parse(line) as { level: number }).level);
    expect({
      opened: levelsOf(' opened'),
      closed: levelsOf(' closed with'),
      json: levelsOf('INVALID_JSON'),
      unknown: levelsOf('NOT_FOUND'),
      late: levelsOf('timed out'),
    }).toEqual({ opened: [20], closed: [20], json: [40], unknown: [40], late: [30] });
  });
});

describe('the data folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'notifications-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('and its files are open to the service alone', async () => {
    const dataDir = join(folder, 'data');
    const service = await startService({ dataDir });
    await service.rest('POST', '/ws/broadcast', { type: 'news' });
    const modes = await Promise.all(
      ['', 'notifications.db', 'owner.pid', 'reserve'].map(async (name) => (await stat(join(dataDir, name))).mode & 0o777),
    );
    expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
    await service.stop();
  });

  it('is left as it is, with a warning, when other users can reach it', async () => {
    const [dataDir, log] = [join(folder, 'data'), join(folder, 'log')];
    await mkdir(dataDir);
    await chmod(dataDir, 0o755);
    const service = await startProcess({ WEBSOCKET_DATA_DIR: dataDir, WEBSOCKET_LOG_FILE: log });
    await service.stop();
    expect(await readFile(log, 'utf8')).toContain(`${dataDir} has mode 755`);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o755);
  });
});
