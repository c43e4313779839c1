/** What operators read: lines for what clients do, and who may read the files. The counts have `metrics.test.ts`. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from '../support/process.js';
import { startService } from '../support/service.js';

describe('the log of a service', () => {
  it('has lines for connections, bad JSON, an unknown callback and a time-out', async () => {
    const service = await startProcess({ WEBSOCKET_LOG_LEVEL: 'debug,Audit=silent' });
    let output = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const { TestClient } = await import('../support/client.js');
    const client = await TestClient.connect(`${service.wsUrl}/ws`);
    for (let index = 0; index < 3; index += 1) client.sendUnchecked('{');
    await client.request({ action: 'confirm', callback_id: 'unknown', proceed: true });
    await fetch(`${service.url}/ws/confirmations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: 'ann', task_id: 't', step: 1, step_result: { message: '?' }, timeout: 0.01 }),
    });
    await client.next({ type: 'confirmation_resolved' });
    await client.close();
    await service.stop();
    const lines = output.split('\n').filter((line) => /WebSocketServer|Dispatcher/.test(line));
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

  it('is open to the service alone, like its files', async () => {
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
