/** The embedded engine on a disk that is really full: a small tmpfs, which only root can mount. */
import { parseChannel } from '../../../src/protocol/channels.js';
import { NEWS } from '../../support/news.js';
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedEngine } from '../../../src/notification/engine/embedded/embedded-engine.js';
import { JOURNAL_FILE } from '../../../src/notification/engine/embedded/publication-journal.js';
import { StoreFullError } from '../../../src/notification/notification.errors.js';
import { EngineFolder, newFolder } from '../../support/engine-folder.js';
import { EngineRecorder } from '../../support/engine-recorder.js';
import { question } from './engine-under-test.js';

const MEBIBYTE = 1024 * 1024;

/** @returns the folder on which it is mounted */
async function mountSmallDisk(): Promise<string | undefined> {
  const folder = await newFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder], { stdio: 'pipe' });
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true });
    if (process.env['CI'] === 'true') throw new Error('CI must run the test of the full disk: mount failed', { cause: error });
    console.warn('NOT RUN: the test of the full disk, for it takes root to mount a small one');
    return undefined;
  }
}

describe('a full disk', () => {
  let disk: string | undefined;
  let folder: EngineFolder;
  let engine: EmbeddedEngine;

  const start = async (): Promise<void> => {
    engine = folder.engineWith({}, { reserveBytes: 4 * MEBIBYTE });
    await engine.start(new EngineRecorder());
    await engine.replayDecisions();
  };
  const large = () => question({ userId: 'ann', prompt: { stepResult: { message: 'x'.repeat(8000) } } });
  const openUntilFull = async (): Promise<string[]> => {
    const ids: string[] = [];
    for (;;) {
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => engine.confirmations.open(large())));
      for (const result of results) {
        if (result.status === 'fulfilled') ids.push(result.value.confirmation.callbackId);
        else expect(result.reason).toBeInstanceOf(StoreFullError);
      }
      if (results.some(({ status }) => status === 'rejected')) return ids;
    }
  };
  /** Somebody else takes what is left. */
  const fillUp = (): void => {
    for (const size of [MEBIBYTE, 4096, 512]) {
      try {
        for (;;) appendFileSync(join(disk ?? '', 'filler'), Buffer.alloc(size, 1));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      }
    }
  };

  beforeEach(async () => {
    disk = await mountSmallDisk();
    folder = await EngineFolder.create();
    if (disk !== undefined) folder.path = join(disk, 'data');
  });
  afterEach(async () => {
    await folder.close();
    if (disk !== undefined) {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
  });

  it('refuses what is new, takes every answer, cancel and acknowledgement, survives a restart, and recovers', async () => {
    if (disk === undefined) return;
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(6 * MEBIBYTE, 1));
    await start();
    await engine.broker.sendAcknowledged({ messageId: 'm', userId: 'ann', message: { type: 'mail' }, ttlMs: 600_000 });
    const delivered: number[] = [];
    const deliver = async (): Promise<void> => {
      const message = { type: 'note', text: 'x'.repeat(3000) };
      delivered.push(
        (await engine.broker.publish({ channel: parseChannel('alerts'), message, recoverable: true })).position?.offset ?? 0,
      );
    };
    await deliver();
    const ids = await openUntilFull();
    expect(ids.length).toBeGreaterThan(100);
    fillUp();
    // Room for one line of the journal, and for a part of the next one.
    const filler = join(disk, 'filler');
    truncateSync(filler, statSync(filler).size - 4096);
    const delivering = Promise.allSettled([deliver(), deliver()]);
    expect(readFileSync(join(folder.path, JOURNAL_FILE), 'utf8')).toMatch(/^.{3000,}\n$/);
    expect(await delivering).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: expect.any(StoreFullError) }]);
    await expect(engine.confirmations.open(large())).rejects.toThrow(StoreFullError);
    await expect(engine.broker.publish({ channel: NEWS, message: { type: 'note' }, recoverable: true })).rejects.toThrow(
      StoreFullError,
    );
    expect((await engine.broker.publish({ channel: NEWS, message: { type: 'note' }, recoverable: false })).deliveredTo).toBe(1);

    const [first, second, ...rest] = [ids.slice(0, 200), ids.slice(200, 300), ids.slice(300)];
    const answer = (callbackId: string) =>
      engine.confirmations.decide({
        callbackId,
        scope: 'all',
        answeredBy: 'ann',
        answer: { proceed: true, feedback: 'f'.repeat(8000) },
      });
    for (const id of first ?? []) expect((await answer(id)).status).toBe('accepted');
    fillUp();
    await engine.close();
    await start();
    for (const { status } of await Promise.all((second ?? []).map(answer))) expect(status).toBe('accepted');
    expect(await engine.broker.ack('m', 'all')).toBe('acknowledged');
    expect((await engine.tasks.cancel({ taskId: 'task-1', scope: 'all', cancelledBy: null, allowUnknown: true })).status).toBe(
      'cancelled',
    );
    for (const id of rest.flat()) expect((await engine.confirmations.get(id))?.state).toBe('cancelled');
    await expect(engine.confirmations.open(large())).rejects.toThrow(StoreFullError);

    expect(folder.log.some((line) => line.includes('reserve is in use'))).toBe(true);
    for (const name of ['filler', 'ballast']) rmSync(join(disk, name));
    await engine.tasks.resume('task-1');
    while (
      await engine.confirmations.open(question()).then(
        () => false,
        (error: unknown) => error instanceof StoreFullError,
      )
    )
      await engine.ping();
    expect(folder.log.some((line) => line.includes('has room again'))).toBe(true);
    await deliver();
    await deliver();
    expect(delivered).toEqual(Array.from(delivered, (_, index) => index + 1));
    const { epoch } = await engine.broker.position('alerts');
    const history = await engine.broker.history({ channel: 'alerts', since: { epoch, offset: 0 }, limit: 1000 });
    expect(history).toMatchObject({ complete: true, head: { epoch, offset: delivered.length } });
    await engine.close();
    await start();
    for (const id of [...(first ?? []), ...(second ?? [])]) expect((await engine.confirmations.get(id))?.state).toBe('answered');
  });
});
