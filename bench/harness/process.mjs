/** The parent's end of the control protocol: starts a child on a core, and calls its commands. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const CORES = availableParallelism();
/** The core of what is measured, and the core of everything else. */
export const MEASURED = 0;
export const OTHERS = 1;

/** The command that runs a program on one core. On a machine with one core nothing is pinned. */
const pinned = (core, command) => (CORES > 1 ? ['taskset', '-c', String(core), ...command] : command);

export function startProgram(core, command, options) {
  const [file, ...args] = pinned(core, command);
  return spawn(file, args, options);
}

export class Child {
  #last = 0;
  #calls = new Map();
  #ended;

  /** @param script beside this folder, for example `contestants/ws.mjs` */
  constructor({ core, script, env = {}, runtime = process.execPath, flags = [] }) {
    this.script = script;
    const { PATH, HOME } = process.env;
    this.process = startProgram(core, [runtime, ...flags, fileURLToPath(new URL(`../${script}`, import.meta.url))], {
      env: { PATH, HOME, ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#ended = once(this.process, 'exit');
    this.ready = new Promise((resolve, reject) => {
      this.process.on('message', (message) => (message.ready ? resolve() : this.#onReply(message)));
      this.process.once('error', reject);
      this.process.once('exit', (code, signal) => {
        const error = new Error(`${script} ended with ${code ?? signal}`);
        reject(error);
        for (const call of this.#calls.values()) call.reject(error);
      });
    });
    this.ready.catch(() => undefined);
  }

  #onReply({ id, result, error }) {
    const { resolve, reject } = this.#calls.get(id);
    this.#calls.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`${this.script}: ${error}`));
  }

  /** @returns what the command returns there */
  call(command, args = {}) {
    return new Promise((resolve, reject) => {
      const id = (this.#last += 1);
      this.#calls.set(id, { resolve, reject });
      this.process.send({ id, command, ...args });
    });
  }

  kill() {
    this.process.kill('SIGKILL');
    return this.#ended;
  }

  /** Lets it exit by itself, so that a profile is written. */
  async end() {
    if (this.process.connected) this.process.disconnect();
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await this.#ended;
    clearTimeout(timer);
  }
}
