/** Measures the calls of an engine, wherever they come from. */
import { NotificationError, TooManyPendingError } from '../notification.errors.js';
import { performance } from '../pacing/time-source.js';
import type { Engine } from './engine.js';

/** @param failed why the engine did not carry the call out; absent for a call that it carried out or rightly refused */
export type OnCalled = (part: string, seconds: number, failed?: 'unavailable' | 'store_full' | 'fault') => void;

/** The parts of an engine that have calls of their own. */
const PARTS: ReadonlySet<string | symbol> = new Set(['confirmations', 'tasks', 'broker', 'presence', 'revocations', 'events']);
/** Calls of the engine itself that wait for its store. Start and end are not measured. */
const CALLS: ReadonlySet<string | symbol> = new Set(['ping', 'waiting', 'counts', 'cluster']);

type Method = (...args: unknown[]) => unknown;

/** @returns the engine, whose calls are measured */
export function measured(engine: Engine, onCalled: OnCalled): Engine {
  return through(engine, (name, member) => {
    if (PARTS.has(name)) return through(member as object, (_, each) => (isMethod(each) ? timed(String(name), each) : each));
    return CALLS.has(name) && isMethod(member) ? timed('engine', member) : member;
  });

  function timed(part: string, method: Method): Method {
    return function (this: unknown, ...args) {
      const began = performance.now();
      const result = method.apply(this, args);
      if (!(result instanceof Promise)) return result;
      const called = (failed?: Parameters<OnCalled>[2]): void => onCalled(part, (performance.now() - began) / 1000, failed);
      result.then(
        () => called(),
        (error: unknown) => called(failureOf(error)),
      );
      return result;
    };
  }
}

/** @param replace makes what is found under a name; made once */
function through<Target extends object>(target: Target, replace: (name: string | symbol, member: unknown) => unknown): Target {
  const known = new Map<string | symbol, unknown>();
  return new Proxy(target, {
    get(_, name) {
      const found = known.get(name);
      if (found !== undefined) return found;
      const member: unknown = Reflect.get(target, name);
      if (member === undefined) return undefined;
      const replaced = replace(name, isMethod(member) ? member.bind(target) : member);
      if (isMethod(member) || replaced !== member) known.set(name, replaced);
      return replaced;
    },
    // A member that is replaced is measured like the one before it.
    set(_, name, value) {
      known.delete(name);
      return Reflect.set(target, name, value);
    },
  });
}

const isMethod = (member: unknown): member is Method => typeof member === 'function';

/** A call that the engine refuses for the caller's own reasons has not failed. */
function failureOf(error: unknown): Parameters<OnCalled>[2] {
  if (!(error instanceof NotificationError)) return 'fault';
  if (error instanceof TooManyPendingError) return undefined;
  if (error.code === 'UNAVAILABLE') return 'unavailable';
  return error.code === 'STORE_FULL' ? 'store_full' : undefined;
}
