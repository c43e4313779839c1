/** Which workers the first process starts again, and when it ends. */
import { fileURLToPath } from 'node:url';
import { Program } from '../support/child-program.js';

const PROGRAM = fileURLToPath(new URL('../support/worker-group.js', import.meta.url));
let program: Program;

const start = (deeds: string[], pauseMs = 50): Program =>
  (program = Program.start(process.execPath, [PROGRAM, '1', ...deeds], { PAUSE_MS: String(pauseMs) }));

describe('the first process', () => {
  afterEach(() => program.stop('SIGKILL'));

  it('outlives a worker that is killed while its messages are answered', async () => {
    await start(['dies-asking', 'listens']).says('worker 2 listens');
  });

  it('starts a worker again whose replacement failed before it listened', async () => {
    await start(['ends', 'fails', 'fails', 'listens']).says('worker 4 listens');
  });

  it('ends with the code of its worker if none has ever listened', async () => {
    expect(await start(['fails']).ended).toEqual({ code: 1, signal: null });
  });

  it('ends at once on a signal that comes while it waits to start a worker again', async () => {
    await start(['ends', 'listens'], 60_000).says('worker 1 is gone');
    expect(await program.stop()).toEqual({ code: 0, signal: null });
  });
});
