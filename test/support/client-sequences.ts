/**
 * Seeded sequences: a user's client answers a confirmation while its connection breaks in every way and others decide too.
 * The checker compares what the answer's promise said with what the service has stored.
 *
 *  S1  Every promise settles.
 *  S2  It resolves only if the stored decision is this answer, given by this user.
 *  S3  It rejects only with `AlreadyResolvedError`, whose decision is the stored one.
 *  S4  The confirmation leaves the client's list, and the decision never changes.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AlreadyResolvedError, connect, type SocketConstructor } from '../../src/client/index.js';
import { CheckedSocket } from './checked-socket.js';
import { Random } from './random.js';
import type { TestService } from './service.js';
import { TcpProxy } from './tcp-proxy.js';

export interface SequenceResult {
  resolved: number;
  decidedElsewhere: number;
  /** What broke a rule, with its seed. */
  faults: string[];
}

/** @param atOnce how many sequences run at the same time */
export async function runSequences(service: TestService, seeds: readonly number[], atOnce: number): Promise<SequenceResult> {
  const result: SequenceResult = { resolved: 0, decidedElsewhere: 0, faults: [] };
  const waiting = [...seeds];
  const work = async (): Promise<void> => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) await runSequence(service, seed, result);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return result;
}

async function runSequence(service: TestService, seed: number, result: SequenceResult): Promise<void> {
  const random = new Random(seed);
  const userId = `sequence-${seed}`;
  const proxy = await TcpProxy.start({ port: service.port, seed });
  const client = connect(`ws://127.0.0.1:${proxy.port}/ws`, {
    WebSocket: CheckedSocket as unknown as SocketConstructor,
    userId,
    quietMs: 300,
    silenceMs: 300,
  });
  const fail = (what: string): unknown => result.faults.push(`seed ${seed}: ${what}`);
  try {
    const { confirmation } = await service.notifications.openConfirmation({
      userId,
      taskId: userId,
      step: 1,
      stepResult: { message: 'Go on?' },
    });
    const { callbackId } = confirmation;
    for await (const list of client.confirmations) if (list.length > 0) break;
    const proceed = random.next() < 0.5;
    const answer = async (): Promise<string> => {
      await delay(random.next() * 20);
      try {
        await client.confirmations.answer(callbackId, { proceed, feedback: 'from the client' });
        return 'resolved';
      } catch (error) {
        if (!(error instanceof AlreadyResolvedError)) return String(error);
        const { state, proceed: decided } = error.decision;
        return `decided ${state} ${String(decided)}`;
      }
    };
    const settled = Promise.race([answer(), delay(15_000, 'never settled', { ref: false })]);
    await Promise.all([breakConnection(proxy, random), decideElsewhere(service, userId, callbackId, random)]);
    const said = await settled;
    const stored = (await service.rest('GET', `/ws/confirmations/${callbackId}`)).body;
    const truth = `decided ${String(stored['state'])} ${String(stored['proceed'])}`;
    const isOwn = stored['state'] === 'answered' && stored['proceed'] === proceed && stored['feedback'] === 'from the client';
    if (said === 'resolved' ? !isOwn : said !== truth || isOwn) fail(`the promise says "${said}", stored is "${truth}"`);
    // The list may change after the promise is fulfilled.
    const unlisted = (async () => {
      for await (const list of client.confirmations) if (list.length === 0) return true;
      return false;
    })();
    if (!(await Promise.race([unlisted, delay(15_000, false, { ref: false })]))) fail('the confirmation is still listed');
    if (said === 'resolved') result.resolved += 1;
    else if (said === truth) result.decidedElsewhere += 1;
  } finally {
    client.close();
    await proxy.refuse();
    proxy.cut();
  }
}

/** None to three faults: cuts, replies that are lost, silence, connections cut as they open. All of them end. */
async function breakConnection(proxy: TcpProxy, random: Random): Promise<void> {
  for (let faults = Math.floor(random.next() * 4); faults > 0; faults -= 1) {
    await delay(random.next() * 30);
    const kind = Math.floor(random.next() * 4);
    if (kind === 1) proxy.blackHole(['down']);
    else if (kind === 2) proxy.blackHole();
    const cutting = kind === 3 ? setInterval(() => proxy.cut(), 2) : undefined;
    if (kind !== 0) await delay(random.next() * 60);
    clearInterval(cutting);
    proxy.cut();
    await proxy.resume();
  }
}

/** In half of the sequences somebody else decides as well. */
async function decideElsewhere(service: TestService, userId: string, callbackId: string, random: Random): Promise<void> {
  const kind = Math.floor(random.next() * 6);
  await delay(random.next() * 60);
  if (kind === 0) await service.notifications.cancelTask(userId);
  else if (kind === 1) await service.rest('DELETE', `/ws/confirmations/${callbackId}`);
  else if (kind === 2) await service.rest('POST', `/ws/confirmations/${callbackId}/answer`, { proceed: random.next() < 0.5 });
}
