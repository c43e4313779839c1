/**
 * One round of a stall: several users are asked, one node is blocked, stopped or given another wall clock, and answers
 * reach its sockets before and after the deadlines. Afterwards every decision is held against what may have become of it.
 *
 *  1. An answer that was written to a socket well before the deadline is the decision, unless its node's lease has ended.
 *  2. Nobody's silence becomes *proceed* where the deadline could not be applied in time.
 *  3. No deadline is applied before its time by the harness' own monotonic clock, and none stays unapplied.
 *  4. An answer that is sent well after the deadline, when everything works again, loses.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient } from './client.js';
import type { Random } from './random.js';
import type { StallableNode } from './stallable-node.js';

/** An answer that was sent this long before a deadline has reached the socket in time. */
const MARGIN_MS = 400;
/** By when a deadline has been applied on nodes that work. */
const APPLIED_WITHIN_MS = 8000;

export type Fault = { kind: 'block' | 'freeze'; ms: number } | { kind: 'clock'; seconds: number } | { kind: 'none' };

export interface World {
  engine: 'embedded' | 'redis';
  nodes: StallableNode[];
  /** How long a node may be silent before the others go on without it; `Infinity` where there are no others. */
  leaseMs: number;
}

export interface Violation {
  what: string;
  detail: Record<string, unknown>;
}

export interface RoundReport {
  timely: number;
  silent: number;
  late: number;
  violations: Violation[];
}

type Plan =
  { kind: 'timely'; by: 'socket' | 'rest' | 'fresh'; at: number; node: StallableNode } | { kind: 'silent' } | { kind: 'late' };

interface Person {
  userId: string;
  plan: Plan;
  timeoutMs: number;
  /** Whether the caller names the default; otherwise the setting says *proceed*. */
  onTimeout?: 'abort';
}

export async function runRound(world: World, round: string, fault: Fault, random: Random): Promise<RoundReport> {
  const report: RoundReport = { timely: 0, silent: 0, late: 0, violations: [] };
  const victim = random.pick(world.nodes);
  const healthy = world.nodes.find((node) => node !== victim) ?? victim;
  const span = fault.kind === 'block' || fault.kind === 'freeze' ? fault.ms : 2500;
  const people = Array.from({ length: 10 }, (_, index): Person => {
    const timeoutMs = random.between(1200, span + 1500);
    const onTimeout = random.chance(0.3) ? ('abort' as const) : undefined;
    const kind = index < 6 ? 'timely' : index < 9 ? 'silent' : 'late';
    const by = random.pick(['socket', 'socket', 'rest', 'fresh'] as const);
    const node = random.chance(0.8) ? victim : healthy;
    const at = random.between(300, timeoutMs - MARGIN_MS);
    return {
      userId: `${round}-${index}`,
      plan: kind === 'timely' ? { kind, by, at, node } : { kind },
      timeoutMs,
      ...(onTimeout && { onTimeout }),
    };
  });
  const ready = await Promise.all(people.map((person) => prepare(person, victim)));
  // The fault begins once everybody has been asked, before the first answer leaves.
  const asked = await Promise.all(ready.map((one) => ask(one, random.chance(0.5) ? healthy : victim)));
  const faulty = inflict(fault, victim);
  await Promise.all([faulty, ...asked.map((one) => live(one, world, fault, faulty, healthy, report))]);
  for (const { client, rest } of ready) {
    client?.socket.terminate();
    rest?.destroy();
  }
  if (fault.kind === 'clock') {
    victim.setClock(0);
    await delay(300);
  }
  return report;
}

interface Ready {
  person: Person;
  client: TestClient | undefined;
  rest: Socket | undefined;
}

interface Asked extends Ready {
  callbackId: string;
  /** By the harness' monotonic clock: the prompt was opened between these two. */
  askedAt: number;
  openedBy: number;
}

async function prepare(person: Person, victim: StallableNode): Promise<Ready> {
  const { plan } = person;
  const node = plan.kind === 'timely' ? plan.node : victim;
  const client = await TestClient.connect(node.wsUrl);
  await client.request({ action: 'subscribe', user_id: person.userId });
  let rest: Socket | undefined;
  if (plan.kind === 'timely' && plan.by === 'rest') {
    rest = connect(plan.node.port, '127.0.0.1');
    await once(rest, 'connect');
    // A request before it, so that the node has accepted the connection.
    rest.write('GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await once(rest, 'data');
    rest.on('error', () => undefined);
  }
  return { person, client, rest };
}

async function ask(ready: Ready, node: StallableNode): Promise<Asked> {
  const { userId, timeoutMs, onTimeout } = ready.person;
  const askedAt = performance.now();
  const response = await fetch(`${node.url}/ws/confirmations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      user_id: userId,
      task_id: `task-${userId}`,
      step: 1,
      step_result: { message: 'Go on?' },
      timeout: timeoutMs / 1000,
      ...(onTimeout && { on_timeout: onTimeout }),
    }),
  });
  const body = (await response.json()) as { callback_id?: string };
  if (response.status !== 201 || body.callback_id === undefined) throw new Error(`asking failed: ${JSON.stringify(body)}`);
  return { ...ready, callbackId: body.callback_id, askedAt, openedBy: performance.now() };
}

async function inflict(fault: Fault, victim: StallableNode): Promise<void> {
  await delay(200);
  switch (fault.kind) {
    case 'block':
      return victim.block(fault.ms);
    case 'freeze':
      return victim.freeze(fault.ms);
    case 'clock':
      return victim.setClock(fault.seconds);
    case 'none':
      return;
    default:
      return fault satisfies never;
  }
}

async function live(
  asked: Asked,
  world: World,
  fault: Fault,
  faulty: Promise<void>,
  healthy: StallableNode,
  report: RoundReport,
): Promise<void> {
  const { person, client, callbackId, askedAt, openedBy } = asked;
  const { plan, timeoutMs } = person;
  const state = whenDecided(healthy, callbackId);
  const fail = (what: string, detail: Record<string, unknown>): void =>
    void report.violations.push({
      what,
      detail: { engine: world.engine, fault, plan: { ...plan, node: undefined }, timeoutMs, callbackId, ...detail },
    });
  // Whether the node could not apply the deadline in time, or not read its sockets, for longer than its lease.
  const stalledMs = fault.kind === 'block' || fault.kind === 'freeze' ? fault.ms : 0;
  const mayBeLeftBehind = stalledMs + 500 >= world.leaseMs;

  if (plan.kind === 'timely') {
    report.timely += 1;
    await delay(Math.max(0, askedAt + plan.at - performance.now()));
    send(asked, plan);
    const sentAt = performance.now() - askedAt;
    const { decision } = await state;
    if (sentAt > timeoutMs - MARGIN_MS / 2) return; // the harness itself was late: this answer proves nothing
    const counts = decision['state'] === 'answered' && decision['proceed'] === false;
    const leftBehind = mayBeLeftBehind && decision['state'] === 'timed_out' && decision['proceed'] === false;
    if (!counts && !leftBehind) fail('a timely answer was lost', { sentAt, decision });
    return;
  }
  if (plan.kind === 'late') {
    report.late += 1;
    // Right after a standstill nobody can tell since when an answer has waited in the socket.
    await faulty;
    await delay(1000);
    await delay(Math.max(0, openedBy + timeoutMs + 2500 - performance.now()));
    const reply = await client?.request({ action: 'confirm', callback_id: callbackId, proceed: true });
    if (reply?.['code'] !== 'ALREADY_RESOLVED') fail('a late answer was taken', { reply });
  } else report.silent += 1;
  const { decision, decidedAt } = await state;
  if (decision['state'] !== 'timed_out') return fail('a deadline was not applied', { decision });
  const after = decidedAt - askedAt;
  if (after < timeoutMs - 100) fail('a deadline was applied too early', { after, decision });
  if (after > Math.max(timeoutMs, stalledMs + 200) + APPLIED_WITHIN_MS) fail('a deadline was applied late', { after });
  const shouldAbort = person.onTimeout === 'abort' || decidedAt - openedBy > timeoutMs + 3000;
  if (shouldAbort && decision['proceed'] !== false) fail('a yes that nobody gave', { after, decision });
}

/** What the prompt became, and when this was first seen. */
async function whenDecided(
  node: StallableNode,
  callbackId: string,
): Promise<{ decision: Record<string, unknown>; decidedAt: number }> {
  const giveUpAt = performance.now() + 60_000;
  for (;;) {
    const response = await fetch(`${node.url}/ws/confirmations/${callbackId}?wait=30`);
    const decision = (await response.json()) as Record<string, unknown>;
    const isOpen = decision['state'] === 'pending' || response.status === 503;
    if (!isOpen || performance.now() > giveUpAt) return { decision, decidedAt: performance.now() };
    await delay(50);
  }
}

/** Writes the answer and does not wait for a reply. */
function send({ client, rest, callbackId }: Asked, plan: Plan & { kind: 'timely' }): void {
  if (plan.by === 'socket') return client?.send({ action: 'confirm', callback_id: callbackId, proceed: false });
  const body = JSON.stringify({ proceed: false });
  const request =
    `POST /ws/confirmations/${callbackId}/answer HTTP/1.1\r\nHost: 127.0.0.1:${plan.node.port}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  if (rest) return void rest.write(request);
  const socket = connect(plan.node.port, '127.0.0.1', () => socket.write(request));
  socket.on('error', () => undefined).once('data', () => socket.destroy());
}
