/** Over real pipes and files: what a log does when nobody reads it, and when it cannot be written. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LogSink } from '../../src/app/log-sink.js';
import { LogFile } from '../../src/app/log-target.js';

const lossLine = (count: number, reason: string): string => `lost ${count}: ${reason}\n`;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'logs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Waits until `condition` holds; the test's own time-out ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

describe('a log', () => {
  it('a log without a reader is kept up to a bound, and marks missing lines when it is read', async () => {
    const path = join(folder, 'pipe');
    spawnSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = new LogSink(new LogFile(path), { lossLine });
    const lines = Array.from({ length: 3000 }, (_, index) => `${index} ${'x'.repeat(1000)}\n`);
    for (const line of lines) sink.write(line);
    expect(sink.lost).toBeGreaterThan(1000);
    expect(sink.lost).toBeLessThan(2500);
    let text = '';
    const buffer = Buffer.alloc(65_536);
    const readOn = (): boolean => {
      try {
        text += buffer.subarray(0, readSync(reader, buffer)).toString();
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('EAGAIN');
      }
      return /lost \d+: .+\n$/.test(text);
    };
    await until(readOn);
    const kept = lines.length - sink.lost;
    expect(text).toBe(`${lines.slice(0, kept).join('')}lost ${sink.lost}: nobody reads it\n`);
    expect(sink.write('on\n')).toBe(true);
    sink.close();
    closeSync(reader);
  });

  it('a log on a full disk neither throws nor waits, and reports the fault once', () => {
    const reports: string[] = [];
    const sink = new LogSink(new LogFile('/dev/full'), {
      lossLine,
      onTrouble: (target, why) => reports.push(`${target} ${why}`),
    });
    for (let index = 0; index < 1100; index += 1) expect(sink.write('x'.repeat(1000))).toBe(false);
    expect(sink.lost).toBeGreaterThan(0);
    expect(reports).toEqual([expect.stringMatching(/^\/dev\/full ENOSPC/)]);
    sink.close();
  });

  it('a log in a folder that cannot be made reports the fault and continues', () => {
    const reports: string[] = [];
    const sink = new LogSink(new LogFile('/dev/null/service.log'), { lossLine, onTrouble: (target) => reports.push(target) });
    expect(sink.write('x\n')).toBe(false);
    expect(reports).toEqual(['/dev/null/service.log']);
    sink.close();
  });

  it('a log whose file is moved away continues in a new file that only its user can read', async () => {
    const path = join(folder, 'made', 'service.log');
    const sink = new LogSink(new LogFile(path), { lossLine });
    sink.write('one\n');
    expect([statSync(join(folder, 'made')).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
    renameSync(path, `${path}.1`);
    let count = 0;
    await until(() => sink.write(`${(count += 1)}\n`) && statSync(path, { throwIfNoEntry: false }) !== undefined);
    sink.close();
    const numbers = Array.from({ length: count }, (_, index) => `${index + 1}\n`);
    expect(readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8')).toBe(`one\n${numbers.join('')}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});
