/** Processes that do nothing but compute, so that everything else waits for its turn. They end with the test, or by themselves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** @returns ends them */
export function startBusyLoops(count: number, atMostMs: number): () => Promise<void> {
  const loop = `const end = Date.now() + ${atMostMs}; while (Date.now() < end) continue;`;
  const children = Array.from({ length: count }, () => spawn(process.execPath, ['-e', loop], { stdio: 'ignore' }));
  const ended = children.map((child) => once(child, 'exit'));
  return async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(ended);
  };
}
