/** What the scripts share. They use nothing but Node, since they run before anything is installed. */
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A failure that one line explains. */
export class SetupError extends Error {}

/** Progress goes to stderr, so that stdout stays the program's own. */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/**
 * Runs a program to its end. `quiet` keeps its output for the caller, who decides what of it matters; `session` gives it a
 * session of its own, by which whatever it leaves behind is found.
 */
export function run(command, args, { quiet = false, session = false, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env,
      detached: session,
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
    const stop = (signal) => {
      if (child.exitCode === null) process.kill(session ? -child.pid : child.pid, signal);
    };
    process.once('SIGTERM', stop).once('SIGINT', stop);
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      resolve({ code: code ?? 1, pid: child.pid, output });
    });
  });
}

/** Runs a script's body when the script is what Node was started with; an explained failure is one line and exit code 1. */
export async function main(moduleUrl, body) {
  if (realpathSync(process.argv[1]) !== fileURLToPath(moduleUrl)) return;
  try {
    process.exitCode = (await body(process.argv.slice(2))) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`setup failed: ${error.message}\n`);
    process.exitCode = 1;
  }
}
