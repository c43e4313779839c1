/**
 * A program of several workers without the service: `argv` says for each worker, in the order in which they start, what it
 * does. The last word counts for all later ones. The pauses between restarts are given in `PAUSE_MS`.
 */
import cluster from 'node:cluster';
import { createServer } from 'node:http';

const [count = '1', ...deeds] = process.argv.slice(2);

if (cluster.isPrimary) {
  // Not loaded by the workers, which shall start fast.
  const { runWorkers } = await import('../../src/app/cluster.js');
  const pauseMs = Number(process.env['PAUSE_MS']);
  let messages = 0;
  cluster.on('message', () => {
    messages += 1;
    // Busy with the second one while the worker sends more and dies.
    const end = Date.now() + (messages === 2 ? 500 : 0);
    while (Date.now() < end) continue;
  });
  runWorkers(Number(count), 10, { first: pauseMs, longest: pauseMs });
  cluster.on('exit', ({ id }) => process.stdout.write(`worker ${id} is gone\n`));
} else {
  const id = cluster.worker?.id ?? 0;
  const deed = deeds[id - 1] ?? deeds.at(-1);
  if (deed === 'fails') process.exit(1);
  createServer().listen(0, '127.0.0.1', () => {
    process.stdout.write(`worker ${id} listens\n`);
    if (deed === 'ends') setImmediate(() => process.exit(1));
    if (deed !== 'dies-asking') return;
    const ask = (question: number): unknown => process.send?.({ type: 'node:count-connections', id: question });
    // After the first answer the other process knows that this one has listened.
    process.once('message', () => {
      for (let question = 1; question < 2000; question += 1) ask(question);
      process.kill(process.pid, 'SIGKILL');
    });
    ask(0);
  });
}
