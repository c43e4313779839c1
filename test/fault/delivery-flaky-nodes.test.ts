/**
 * Many users of the client library on bad networks, two nodes behind nginx on one Redis, one of which dies on the way and comes back: nothing
 * is lost, nothing comes twice, everything comes in order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ClusterSite } from '../support/deployed-cluster.js';
import { runFlaky } from '../support/bad-network-workload.js';
import { findBinary, requireBinary } from '../support/system.js';

const CLIENTS = Number(process.env['FLAKY_CLIENTS'] ?? 200);
const MESSAGES = Number(process.env['FLAKY_MESSAGES'] ?? 120);
const EVERY_MS = 500;
/** For so long one node has to do. */
const DEAD_FOR_MS = 5000;
const [LASTING, DYING] = [0, 1];

const describeWithBoth = findBinary('nginx') ? requireBinary('redis-server') : requireBinary('nginx');

describeWithBoth('two nodes, one of which is killed', () => {
  let site: ClusterSite;
  beforeEach(async () => {
    site = await ClusterSite.create(2, 2);
  }, 60_000);
  afterEach(async () => {
    await site.close();
  });

  it('lose nothing, repeat nothing and keep the order for users whose connections break all the time', async () => {
    let onTheDyingNode = 0;
    const killing = (async () => {
      await delay((MESSAGES * EVERY_MS) / 3);
      onTheDyingNode = await site.connectionsOf(DYING);
      await site.stop(DYING, 'SIGKILL');
      await delay(DEAD_FOR_MS);
      await site.start(DYING);
    })();
    const nginxPort = Number(new URL(site.url).port);
    const result = await runFlaky(
      {
        port: () => nginxPort,
        // A publication that breaks off is repeated and may stand in history twice: here none does.
        publishPort: () => site.portOf(LASTING),
        clients: CLIENTS,
        messages: MESSAGES,
        everyMs: EVERY_MS,
        cutAfterMs: [15_000, 20_000],
        cutForMs: 2000,
      },
      killing,
    );
    console.log(`${CLIENTS} flaky clients, ${onTheDyingNode} of them on a node that is killed: ${JSON.stringify(result)}`);
    expect(onTheDyingNode).toBeGreaterThan(0);
    expect(result).toMatchObject({ lost: 0, duplicates: 0, outOfOrder: 0, gaps: 0, errors: 0 });
  }, 300_000);
});
