/** The journal of publications that were delivered ahead of the store. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JOURNAL_FILE, parseLines, PublicationJournal } from '../../src/notification/engine/embedded/publication-journal.js';

describe('a journal of publications', () => {
  let folder: string;
  let failures: string[];
  let journal: PublicationJournal;
  const contents = (): string => readFileSync(join(folder, JOURNAL_FILE), 'utf8');
  const newJournal = (dataDir: string): PublicationJournal =>
    new PublicationJournal(
      dataDir,
      () => undefined,
      (failure) => failures.push(failure),
    );

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-'));
    failures = [];
    journal = newJournal(folder);
    journal.begin('');
    journal.learn('news', { epoch: 'e', offset: 7 });
  });
  afterEach(() => {
    journal.close();
    rmSync(folder, { recursive: true });
  });

  it('has a line in its file before it gives the next offset, and gives none without a known head', () => {
    expect(journal.add('news', '{"n":1}')).toEqual({ epoch: 'e', offset: 8 });
    expect(contents()).toBe('[8,"news",{"n":1}]\n');
    expect(journal.add('other', '{}')).toBeUndefined();
    journal.forgetHeads();
    expect(journal.add('news', '{}')).toBeUndefined();
    expect(parseLines(contents())).toEqual([{ channel: 'news', offset: 8, text: '{"n":1}' }]);
  });

  it('keeps what the store has not committed, gives it again first, and is emptied when the store has everything', () => {
    journal.add('news', '{"n":1}');
    const first = journal.take();
    journal.add('news', '{"n":2}');
    journal.failed();
    expect(journal.isStored).toBe(false);
    // The store has not said that it works again.
    expect(journal.add('news', '{"n":3}')).toBeUndefined();
    expect(journal.take()).toBe(`${first}[9,"news",{"n":2}]\n`);
    journal.committed(true);
    expect(journal.isStored).toBe(true);
    expect(contents()).toBe('');
    expect(journal.add('news', '{"n":3}')?.offset).toBe(10);
    journal.take();
    journal.committed(false);
    expect(journal.add('news', '{"n":4}')).toBeUndefined();
  });

  it('says where a channel stands while the store holds everything, and until heads are forgotten', () => {
    journal.noteHead('other', { epoch: 'e', offset: 3 });
    expect(journal.headOf('other')?.offset).toBe(3);
    journal.add('news', '{}');
    expect(journal.headOf('other')).toBeUndefined();
    journal.take();
    journal.committed(true);
    expect(journal.headOf('news')?.offset).toBe(8);
    journal.forgetHeads();
    expect(journal.headOf('news')).toBeUndefined();
  });

  it('takes 512 KiB, and more when the store has committed that', () => {
    const text = JSON.stringify({ text: 'é'.repeat(50_000) });
    while (journal.add('news', text)) continue;
    expect(Buffer.byteLength(contents())).toBeGreaterThan(400_000);
    expect(Buffer.byteLength(contents())).toBeLessThanOrEqual(524_288);
    journal.take();
    journal.committed(true);
    expect(journal.add('news', text)).toBeDefined();
    expect(failures).toEqual([]);
  });

  it('knows the heads of 50 000 channels', () => {
    for (let n = 0; n < 50_000; n += 1) journal.learn(`channel-${n}`, { epoch: 'e', offset: 1 });
    expect(journal.add('news', '{}')).toBeUndefined();
    expect(journal.add('channel-0', '{}')).toBeDefined();
  });

  it('leaves publications to the store when its file cannot be written', () => {
    const broken = newJournal(join(folder, 'nowhere'));
    broken.begin('');
    broken.learn('news', { epoch: 'e', offset: 7 });
    expect(broken.add('news', '{}')).toBeUndefined();
    expect(broken.isStored).toBe(true);
    expect(failures).toContainEqual(expect.stringContaining('cannot be written'));
    broken.close();
  });
});
