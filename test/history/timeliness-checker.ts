/**
 * Checks that decisions arrive soon. `checker.ts` cannot: a caller that polls finds any decision in the end. This checker
 * uses the times of the entries, with a generous bound, because the machine may be slow.
 *
 *  1. A waiting caller gets the decision within `withinMs` of the moment at which any observer first knew it.
 *  2. So does every connection that was shown the prompt, as long as it is open.
 *  3. A connection stays open until its client leaves or its node stops. An absent store closes no connection that had
 *     already been served.
 *
 * The clock of 1 and 2 stops while the store is away.
 */
import { PATIENCE_OF_NODES_MS, SERVER_FAULT, type Violation } from './checker.js';
import type { Entry, Recorder } from './recorder.js';

export interface TimelinessOptions {
  withinMs: number;
  /** As of `checker.ts`. */
  newcomersMayBeRefused?: boolean;
}

export interface Timeliness {
  violations: Violation[];
  /** The longest wait for a decision that was already known. */
  slowestMs: number;
}

interface Connection {
  userId: string | null;
  node: string;
  since: number;
  /** It has had a reply. */
  served: boolean;
  /** When it left or was closed. */
  end?: number;
  left: boolean;
  shown: Map<string, number>;
  resolved: Map<string, number>;
}

export function checkTimeliness(
  { entries, times }: Pick<Recorder, 'entries' | 'times'>,
  { withinMs, newcomersMayBeRefused = false }: TimelinessOptions,
): Timeliness {
  const violations: Violation[] = [];
  const begun = new Map<number, { at: number; callbackId?: string; connection?: number }>();
  const ended: { call: number; asked: number; at: number; callbackId: string }[] = [];
  /** When each decision was first known. */
  const known = new Map<string, number>();
  const owners = new Map<string, string>();
  const questions = new Map<number, string>();
  const connections = new Map<number, Connection>();
  const outages: { from: number; to: number }[] = [];
  const stopping = new Set<string>();

  const learn = (callbackId: string, at: number, connection?: number): void => {
    if (!known.has(callbackId)) known.set(callbackId, at);
    const resolved = connection === undefined ? undefined : connections.get(connection)?.resolved;
    if (resolved && !resolved.has(callbackId)) resolved.set(callbackId, at);
  };
  /** It was opened while the store was away, or seemed away to its node, and was closed before its first reply. */
  const isExcused = ({ since, served }: Connection, to: number): boolean =>
    !served &&
    (newcomersMayBeRefused ||
      to - since >= PATIENCE_OF_NODES_MS ||
      outages.some((outage) => outage.from <= since && since < outage.to));
  const read = (entry: Entry, at: number): void => {
    switch (entry.kind) {
      case 'away':
        return void outages.push({ from: at, to: Infinity });
      case 'back':
        return void outages.splice(-1, 1, { from: outages.at(-1)?.from ?? at, to: at });
      case 'starting':
        return void stopping.delete(entry.node);
      case 'stopping':
        return void stopping.add(entry.node);
      case 'ask':
        questions.set(entry.question, entry.userId);
        return void begun.set(entry.call, { at });
      case 'answer':
      case 'withdraw':
      case 'read':
      case 'list':
        return void begun.set(entry.call, { at, ...entry });
      case 'ended': {
        const asked = begun.get(entry.call)?.at ?? at;
        ended.push({ call: entry.call, asked, at, callbackId: entry.callbackId });
        return learn(entry.callbackId, at);
      }
      case 'accepted':
      case 'refused':
      case 'found': {
        const call = begun.get(entry.call);
        if (call?.callbackId === undefined || (entry.kind !== 'accepted' && !entry.verdict)) return;
        return learn(call.callbackId, at, call.connection);
      }
      case 'listed': {
        const connection = connections.get(begun.get(entry.call)?.connection ?? 0);
        if (connection) connection.served = true;
        return;
      }
      case 'observed':
        return learn(entry.callbackId, at, entry.connection);
      case 'connect': {
        const { userId, node } = entry;
        return void connections.set(entry.connection, {
          userId,
          node,
          since: at,
          served: false,
          left: false,
          shown: new Map(),
          resolved: new Map(),
        });
      }
      case 'shown': {
        const owner = questions.get(entry.question);
        if (owner !== undefined) owners.set(entry.callbackId, owner);
        const shown = connections.get(entry.connection)?.shown;
        if (shown && !shown.has(entry.callbackId)) shown.set(entry.callbackId, at);
        return;
      }
      case 'leave': {
        const connection = connections.get(entry.connection);
        if (!connection) return;
        connection.left = true;
        connection.end ??= at;
        return;
      }
      case 'closed': {
        const connection = connections.get(entry.connection);
        if (!connection) return;
        connection.end ??= at;
        if (entry.code === SERVER_FAULT && isExcused(connection, at)) return;
        if (!connection.left && !stopping.has(connection.node))
          violations.push({
            rule: 'connections stay',
            message: `connection ${entry.connection} to ${connection.node} was closed with ${entry.code}`,
          });
        return;
      }
      default:
    }
  };
  entries.forEach((entry, index) => read(entry, times[index] ?? 0));

  /** How long it took, once the store was there. */
  const taken = (from: number, to: number): number =>
    to - outages.reduce((start, outage) => (outage.from < to && outage.to > start ? outage.to : start), from);

  let slowestMs = 0;
  const judge = (tookMs: number, message: string): void => {
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > withinMs) violations.push({ rule: 'delivered in time', message: `${message} ${tookMs} ms` });
  };
  for (const { call, asked, at, callbackId } of ended) {
    const tookMs = taken(Math.max(asked, known.get(callbackId) ?? at), at);
    judge(tookMs, `${callbackId}: the caller of call ${call} got the decision after`);
  }
  const last = times.at(-1) ?? 0;
  for (const [number, { userId, shown, resolved, end = last }] of connections) {
    for (const [callbackId, shownAt] of shown) {
      // Until it has said who it is, a connection is shown everybody's.
      if (userId !== null && userId !== owners.get(callbackId)) continue;
      const knownAt = known.get(callbackId);
      if (knownAt === undefined) continue;
      const resolvedAt = resolved.get(callbackId);
      const tookMs = taken(Math.max(shownAt, knownAt), resolvedAt ?? end);
      if (resolvedAt !== undefined) judge(tookMs, `${callbackId}: connection ${number} got the decision after`);
      else if (tookMs > withinMs) judge(tookMs, `${callbackId}: connection ${number} did not get the decision in`);
    }
  }
  return { violations, slowestMs };
}
