/** The audit trail in the log and in a file of its own: fields, in text that no reader obeys. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from '../support/process.js';

const STEP = { message: 'Deploy?' };

describe('in the log and in its file the audit trail', () => {
  // C0, DEL and C1, line separators, marks and overrides of direction, invisible and byte-order marks.
  const OBEYED = [0x0a, 0x1b, 0x7f, 0x85, 0x9b, 0x200b, 0x200e, 0x2028, 0x2029, 0x202e, 0x2066, 0x2069, 0x061c, 0xfeff];
  const NAME = `x${String.fromCodePoint(...OBEYED)}y`;

  it.each(['the log', 'a file of its own'])('consists of fields, with control characters escaped: %s', async (place) => {
    const folder = await mkdtemp(join(tmpdir(), 'audit-'));
    const file = join(folder, 'audit.log');
    const service = await startProcess({
      WEBSOCKET_DATA_DIR: join(folder, 'data'),
      WEBSOCKET_LOG_LEVEL: 'trace',
      ...(place === 'the log' ? {} : { WEBSOCKET_AUDIT_FILE: file }),
    });
    let log = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const call = (method: string, path: string, body: object) =>
      fetch(service.url + path, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const opened = await call('POST', '/ws/confirmations', {
      user_id: NAME,
      task_id: NAME,
      step: 1,
      step_result: STEP,
    });
    expect(opened.status).toBe(201);
    await call('POST', `/ws/tasks/${encodeURIComponent(NAME)}/cancel`, {
      reason: NAME,
    });
    await call('POST', `/ws/confirmations/${encodeURIComponent(NAME)}/answer`, { proceed: true, user_id: NAME });
    await call('POST', `/ws/tasks/${encodeURIComponent(NAME)}/heartbeat`, {
      user_id: NAME,
      interval: 60,
      ttl: 60,
    });
    await service.stop();
    const text = place === 'the log' ? log : log + (await readFile(file, 'utf8'));
    for (const code of OBEYED.filter((each) => each !== 0x0a))
      expect([code.toString(16), text.includes(String.fromCodePoint(code))]).toEqual([code.toString(16), false]);
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const entries = lines.filter(({ event }) => event !== undefined);
    expect(entries).toContainEqual(
      expect.objectContaining({
        event: 'prompt',
        by: { kind: 'service' },
        means: 'rest',
        userId: NAME,
        taskId: NAME,
        at: expect.any(Number),
      }),
    );
    expect(entries.map(({ event }) => event)).toEqual(['prompt', 'cancel', 'refused']);
    await rm(folder, { recursive: true, force: true });
  });
});
