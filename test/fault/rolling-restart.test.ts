/**
 * Three nodes behind nginx are restarted one after the other while users are connected and a back-end works: SIGTERM,
 * drain, end, start. Nothing is lost, no answer and no call fails, nobody changes over more often than they must.
 *
 * A client has to change over when its node ends. Once is enough when it then lands on a node that has been restarted:
 * that takes a place for a fourth node, where the first new one is started before the first old one is stopped.
 * Without it the first node's clients have only nodes that are yet to be restarted to go to, and change over twice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ClusterSite } from '../support/deployed-cluster.js';
import { RollingWorkload, type RollingAccount } from '../support/rolling-restart-workload.js';
import { findBinary, requireBinary } from '../support/system.js';

const CLIENTS = Number(process.env['ROLLING_CLIENTS'] ?? 2000);
const CALLS_PER_SECOND = Number(process.env['ROLLING_RATE'] ?? 200);
const DRAIN_S = Number(process.env['ROLLING_DRAIN'] ?? 5);

const NODES = 3;
/** Between two restarts, and before and after them. */
const PAUSE_MS = 2000;

const describeWithBoth = findBinary('nginx') ? requireBinary('redis-server') : requireBinary('nginx');

describeWithBoth('a rolling restart', () => {
  let site: ClusterSite;
  let workload: RollingWorkload;

  afterEach(async () => {
    workload.close();
    const complaints = (await site.close()).match(/[^\]]*while reading response header[^"]*request: "POST[^"]*/g) ?? [];
    if (complaints.length > 0) console.error(`nginx did not repeat:\n${complaints.join('\n')}`);
  }, 60_000);

  /** @returns the account, and how many connections the nodes had when they were stopped, in all */
  async function roll(places: number): Promise<RollingAccount & { sentAway: number }> {
    site = await ClusterSite.create(places, NODES, {
      WEBSOCKET_DRAIN_TIMEOUT: String(DRAIN_S),
      WEBSOCKET_MAX_CONNECTIONS: String(CLIENTS + 100),
    });
    workload = new RollingWorkload(site);
    await workload.connect(CLIENTS);
    const begun = Date.now();
    const working = workload.work(CALLS_PER_SECOND);
    await delay(PAUSE_MS);
    const hasSpare = places > NODES;
    let sentAway = 0;
    if (hasSpare) await site.start(NODES);
    for (const place of await byConnections(site)) {
      sentAway += await site.connectionsOf(place);
      expect(await site.stop(place)).toEqual({ code: 0, signal: null });
      await site.start(place);
      await delay(PAUSE_MS);
    }
    workload.stop();
    await working;
    const tookMs = Date.now() - begun;
    await workload.settle();
    const account = { ...workload.account(), sentAway, tookMs };
    console.log(`${CLIENTS} clients, ${NODES} nodes on ${places} places: ${JSON.stringify(account)}`);
    expectCallsToGoThrough(account);
    return account;
  }

  const NOTHING_FAILED = {
    failedAnswers: 0,
    lost: 0,
    gaps: 0,
    doubled: 0,
  };

  it('loses nothing, fails no call and moves every client once, with a place to spare', async () => {
    const account = await roll(NODES + 1);
    expect(account.refusedConnects).toEqual({});
    expect(account).toMatchObject({ ...NOTHING_FAILED, sentAway: CLIENTS });
    expect(account.reconnects).toEqual({ 1: CLIENTS });
    expect(account.closeCodes).toEqual({ 1012: CLIENTS });
  }, 300_000);

  it('loses nothing, fails no call and moves a client at most twice, in place', async () => {
    const account = await roll(NODES);
    expect(account.refusedConnects).toEqual({});
    expect(account).toMatchObject(NOTHING_FAILED);
    expect(account.closeCodes).toEqual({ 1012: account.sentAway });
    expect(Object.keys(account.reconnects)).toEqual(['1', '2']);
  }, 300_000);
});

/**
 * A POST that meets the very moment in which a node stops listening is reset, and nginx must not send it twice: its caller
 * does. Nothing else may need repeating.
 */
function expectCallsToGoThrough({ calls, failedCalls }: RollingAccount): void {
  const { 'POST 502': atTheMoment = 0, ...others } = failedCalls;
  expect(others).toEqual({});
  expect(atTheMoment).toBeLessThanOrEqual(calls / 1000);
}

/** The first nodes, those with the fewest connections first: theirs all fit below what the others have. */
async function byConnections(site: ClusterSite): Promise<number[]> {
  const places = Array.from({ length: NODES }, (_, place) => place);
  const counts = await Promise.all(places.map((place) => site.connectionsOf(place)));
  return places.sort((a, b) => (counts[a] ?? 0) - (counts[b] ?? 0));
}
