/** Whose the data folder is, and what the embedded engine refuses to start on. */
import { parseChannel } from '../../../src/protocol/channels.js';
import { NEWS } from '../../support/news.js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  appendFile,
  chmod,
  copyFile,
  cp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine, OpenRequest, StreamPosition } from '../../../src/notification/engine/engine.js';
import { JOURNAL_FILE } from '../../../src/notification/engine/embedded/publication-journal.js';
import type { Sqlite } from '../../../src/notification/engine/embedded/sqlite.js';
import { ConfigurationError } from '../../../src/notification/notification.errors.js';
import { EngineFolder } from '../../support/engine-folder.js';
import { EngineRecorder } from '../../support/engine-recorder.js';
import { FaultyStore } from '../../support/faulty-store.js';
import { AFTER_DECISIONS } from '../../support/webhook-events.js';
import { question } from './engine-under-test.js';

/** Undoes what format 4 added to the tables. */
const WITHOUT_FORMAT_4 = ['edited', 'seen_at', 'dismissed_until']
  .map((column) => `ALTER TABLE confirmation DROP COLUMN ${column};`)
  .join(' ');

describe('the data folder', () => {
  let folder: EngineFolder;
  const file = (): string => join(folder.path, 'notifications.db');
  const refusal = async (): Promise<string> => {
    const error: unknown = await folder.start(new EngineRecorder()).then(
      () => new Error('it started'),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    const { message } = error as ConfigurationError;
    expect(message).not.toContain('\n');
    return message;
  };
  /** A folder with enough prompts to fill some pages. */
  const fill = async (): Promise<void> => {
    const engine = await folder.start(new EngineRecorder());
    await Promise.all(
      Array.from({ length: 300 }, (_, index) => engine.confirmations.open(question({ taskId: `task-${index}` }))),
    );
    await engine.close();
  };

  beforeEach(async () => {
    folder = await EngineFolder.create();
  });
  afterEach(() => folder.close());

  it('is made where it does not exist, and holds no left-overs of its making', async () => {
    folder.path = join(folder.path, 'a', 'b');
    const engine = await folder.start(new EngineRecorder());
    await engine.ping();
    expect((await readdir(folder.path)).filter((name) => name.includes('.new'))).toEqual([]);
  });

  it('is refused to a second engine of the same process, promptly, and free again when the first is closed', async () => {
    const first = await folder.start(new EngineRecorder());
    await expect(folder.engineWith().start(new EngineRecorder())).rejects.toThrow(
      `in use by another process (pid ${process.pid})`,
    );
    await first.confirmations.open(question());
    await first.close();
    const second = await folder.start(new EngineRecorder());
    expect((await second.counts()).pendingConfirmations).toBe(1);
  });

  it('is refused to a second process, and free as soon as the first is killed', async () => {
    const engine = fileURLToPath(new URL('../../../src/notification/engine/embedded/embedded-engine.js', import.meta.url));
    const script = `
      const { EmbeddedEngine } = await import(${JSON.stringify(engine)});
      const settings = { retentionMs: 1e6, historySize: 10, historyTtlMs: 1e6, maxConnectionsPerUser: 1 };
      await new EmbeddedEngine({ dataDir: process.argv[1], settings, reserveBytes: 65536 }).start({});
      console.log('started');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      expect(await refusal()).toContain(`in use by another process (pid ${child.pid})`);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await (await folder.start(new EngineRecorder())).ping();
  });

  it.each([
    ['a file that is no database', (path: string) => writeFile(path, 'something else entirely '.repeat(1000))],
    ['an empty file', (path: string) => truncate(path, 0)],
    ['a file that is cut short', async (path: string) => truncate(path, Math.floor((await stat(path)).size / 2 / 4096) * 4096)],
    ['a file whose first page is overwritten', (path: string) => overwrite(path, 100, 3000)],
    [
      'a file with garbage in its middle',
      async (path: string) => overwrite(path, Math.floor((await stat(path)).size / 2 / 4096) * 4096, 40_960),
    ],
  ])('is refused with %s, which stays as it is', async (_, damage) => {
    await fill();
    await damage(file());
    const damaged = await readFile(file());
    expect(await refusal()).toContain(file());
    expect((await readFile(file())).equals(damaged)).toBe(true);
  });

  it('is refused with the database of another program or of a later version', async () => {
    const { openSqlite } = await import('../../../src/notification/engine/embedded/sqlite.js');
    await fill();
    const database = await openSqlite(file());
    database.exec('PRAGMA user_version = 99');
    expect(await refusal()).toContain('in use');
    database.close();
    expect(await refusal()).toContain('format 99');
    const other = await openSqlite(file());
    other.exec('PRAGMA application_id = 1');
    other.close();
    expect(await refusal()).toContain('not written by this service');
  });

  it('gets what later formats added to the first one, and keeps its rows', async () => {
    const { openSqlite } = await import('../../../src/notification/engine/embedded/sqlite.js');
    await fill();
    const database = await openSqlite(file());
    database.exec(`${WITHOUT_FORMAT_4} DROP TABLE notice; ALTER TABLE confirmation DROP COLUMN via; ALTER TABLE task DROP COLUMN cancelled_via;
      PRAGMA user_version = 1`);
    database.close();
    const engine = await folder.start(new EngineRecorder(), { webhookEvents: AFTER_DECISIONS });
    expect((await engine.counts()).pendingConfirmations).toBe(300);
    await engine.tasks.resume('task-1');
    await engine.tasks.cancel({ taskId: 'task-1', scope: 'all', cancelledBy: null, allowUnknown: true });
    expect(await engine.events.counts()).toMatchObject({ waiting: 2 });
  });

  it('keeps the decisions of the second format, of whose doors only the deadline’s is known', async () => {
    const { openSqlite } = await import('../../../src/notification/engine/embedded/sqlite.js');
    const before = await folder.start(new EngineRecorder());
    const open = async (overrides?: Partial<OpenRequest>): Promise<string> =>
      (await before.confirmations.open(question(overrides))).confirmation.callbackId;
    const ids = [await open(), await open({ timeoutMs: 1 }), await open({ taskId: 'cancelled' }), await open()];
    await before.confirmations.decide({ callbackId: ids[0] ?? '', scope: 'all', answeredBy: 'ann', answer: { proceed: true } });
    while ((await before.confirmations.get(ids[1] ?? ''))?.state === 'pending') await before.ping();
    await before.tasks.cancel({ taskId: 'cancelled', scope: 'all', cancelledBy: null, allowUnknown: true });
    await before.close();
    const database = await openSqlite(file());
    database.exec(`${WITHOUT_FORMAT_4} ALTER TABLE confirmation DROP COLUMN via; ALTER TABLE task DROP COLUMN cancelled_via;
      ALTER TABLE notice DROP COLUMN event; PRAGMA user_version = 2`);
    database.close();
    const engine = await folder.start(new EngineRecorder());
    const vias = await Promise.all(ids.map(async (id) => (await engine.confirmations.get(id))?.decision?.via));
    expect(vias).toEqual(['unknown', 'clock', 'unknown', undefined]);
    const late = await engine.confirmations.open(question({ taskId: 'cancelled' }));
    expect(late.confirmation.decision).toMatchObject({ outcome: 'cancelled', via: 'unknown' });
    await engine.confirmations.decide({
      callbackId: ids[3] ?? '',
      scope: 'all',
      answeredBy: 'ann',
      via: 'rest',
      answer: { proceed: true },
    });
    expect((await engine.confirmations.get(ids[3] ?? ''))?.decision?.via).toBe('rest');
  });

  it('is refused when the database is gone but its log is still there', async () => {
    await fill();
    await copyFile(file(), `${file()}-wal`);
    await rm(file());
    expect(await refusal()).toContain('is missing');
    expect(existsSync(file())).toBe(false);
  });

  it('is refused where no folder can be', async () => {
    await writeFile(join(folder.path, 'plain-file'), '');
    folder.path = join(folder.path, 'plain-file', 'data');
    expect(await refusal()).toContain('cannot be used');
  });

  it('is not needed for :memory:, which keeps nothing and has a new epoch at every start', async () => {
    folder.path = ':memory:';
    const first = await folder.start(new EngineRecorder());
    await first.confirmations.open(question());
    const { epoch } = await first.broker.position('news');
    await first.close();
    const second = await folder.start(new EngineRecorder());
    expect(await second.counts()).toEqual({ pendingConfirmations: 0, unacknowledgedMessages: 0 });
    expect((await second.broker.position('news')).epoch).not.toBe(epoch);
    expect(existsSync(':memory:')).toBe(false);
  });

  describe('of a process that was killed', () => {
    const journal = (): string => join(folder.path, JOURNAL_FILE);
    const publish = (engine: Engine, n: number) =>
      engine.broker.publish({
        channel: parseChannel('news\n"'),
        message: { type: 'note', n, text: 'line\u2028 \n "] é' },
        recoverable: true,
      });
    const numbers = async (engine: Engine, since: StreamPosition): Promise<unknown> => {
      const page = await engine.broker.history({ channel: 'news\n"', since, limit: 10 });
      return page.complete && page.publications.map(({ text, offset }) => [offset, (JSON.parse(text) as { n: number }).n]);
    };
    /** An engine whose store has not one of the publications 2, 3 and 4 when the process is killed. @returns where it began */
    const kill = async (): Promise<StreamPosition> => {
      const store = new FaultyStore();
      const engine = folder.engineWith({}, { newWorker: store.newWorker });
      await engine.start(new EngineRecorder());
      const since = await engine.broker.position('news\n"');
      await publish(engine, 1);
      store.inject({ match: 'INSERT INTO publication', times: Infinity, effect: { kind: 'error', resultCode: 10 } });
      for (const n of [2, 3, 4]) expect((await publish(engine, n)).position?.offset).toBe(n);
      await folder.crash();
      folder.log.splice(0);
      return since;
    };

    it('has every publication that was delivered, once, and goes on after them', async () => {
      const since = await kill();
      const lines = await readFile(journal(), 'utf8');
      expect(lines.split('\n')).toHaveLength(4);
      // The process was killed while it wrote this one, which was not delivered.
      await appendFile(journal(), '[5,"news","');
      const all = [1, 2, 3, 4].map((n) => [n, n]);
      for (const n of [5, 6]) {
        const engine = await folder.start(new EngineRecorder());
        expect(await numbers(engine, since)).toEqual(all);
        expect((await publish(engine, n)).position).toEqual({ ...since, offset: n });
        all.push([n, n]);
        await folder.crash();
        // As if it had been killed before it emptied the journal: the store has these already.
        await writeFile(journal(), lines);
      }
      const engine = await folder.start(new EngineRecorder());
      expect(await numbers(engine, since)).toEqual(all);
      await engine.close();
      expect(await readFile(journal(), 'utf8')).toBe('');
      expect(folder.log).toEqual([]);
    });

    it.each([
      [
        'the machine has stopped',
        async (database: Sqlite) => database.exec(`UPDATE meta SET value = 'another' WHERE name = 'journal'`),
      ],
      ['the journal is gone', () => rm(journal())],
      ['the journal is damaged', () => writeFile(journal(), '[2,"news",{"type":"no\n')],
    ])('begins a new epoch, once, and says so when %s', async (_, happen) => {
      const { openSqlite } = await import('../../../src/notification/engine/embedded/sqlite.js');
      const since = await kill();
      const database = await openSqlite(file());
      await happen(database);
      database.close();
      const engine = await folder.start(new EngineRecorder());
      expect(folder.log).toEqual([expect.stringContaining('what was delivered last may not be stored')]);
      expect(await numbers(engine, since)).toBe(false);
      const { epoch } = await engine.broker.position('news\n"');
      expect(epoch).not.toBe(since.epoch);
      await folder.crash();
      expect((await (await folder.start(new EngineRecorder())).broker.position('news\n"')).epoch).toBe(epoch);
    });
  });

  describe('of which an older copy is put back', () => {
    const publish = async (engine: Engine, count: number): Promise<void> => {
      for (let message = 0; message < count; message += 1)
        await engine.broker.publish({ channel: NEWS, message: { type: 'x' }, recoverable: true });
    };
    const isComplete = async (engine: Engine, since: StreamPosition): Promise<boolean> =>
      (await engine.broker.history({ channel: 'news', since, limit: 10 })).complete;

    it.each(['in its place', 'over its files', 'over the database alone'])(
      'begins a new epoch and says so in one line: %s',
      async (where) => {
        const first = await folder.start(new EngineRecorder());
        await publish(first, 2);
        await first.close();
        const copy = await folder.copy();
        const second = await folder.start(new EngineRecorder());
        await publish(second, 3);
        const lost = await second.broker.position('news');
        await second.close();
        if (where === 'in its place') await rm(folder.path, { recursive: true });
        await cp(copy, folder.path, {
          recursive: true,
          preserveTimestamps: true,
          filter: (from) => where !== 'over the database alone' || !from.endsWith('witness'),
        });
        expect(folder.log).toEqual([]);
        const restored = await folder.start(new EngineRecorder());
        expect(folder.log).toEqual([expect.stringContaining('the data folder was copied or restored')]);
        await publish(restored, 5);
        expect(await isComplete(restored, lost)).toBe(false);
        const known = await restored.broker.position('news');
        await restored.close();
        expect(await isComplete(await folder.start(new EngineRecorder()), known)).toBe(true);
        expect(folder.log).toHaveLength(1);
      },
    );

    it('goes on with its epoch after a stop, a crash, a change of rights, a move, and a start that was killed', async () => {
      const start = async (): Promise<Engine> => folder.start(new EngineRecorder());
      const first = await start();
      await publish(first, 1);
      const known = await first.broker.position('news');
      await first.close();
      const second = await start();
      expect(await isComplete(second, known)).toBe(true);
      await folder.crash();
      await (await start()).close();
      await chmod(join(folder.path, 'witness'), 0o640);
      await rename(folder.path, `${folder.path}-moved`);
      folder.path = `${folder.path}-moved`;
      // A start was killed before its file was in place.
      await writeFile(join(folder.path, 'witness.new'), '');
      expect(await isComplete(await start(), known)).toBe(true);
      expect(folder.log).toEqual([]);
    });
  });
});

async function overwrite(path: string, position: number, length: number): Promise<void> {
  const handle = await open(path, 'r+');
  await handle.write(Buffer.alloc(length, 0xa5), 0, length, position);
  await handle.close();
}
