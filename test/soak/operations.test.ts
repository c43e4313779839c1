/**
 * What *Operations* costs: the view that is open pulls every two seconds, and every node reports every second. Three nodes on
 * one Redis are measured without connections and with `OPERATIONS_CONNECTIONS` (6 000) each; so is a node of its own, whose
 * pull makes the same report. The cost with 100 000 connections is extrapolated along that line, which says how far:
 *
 *   share = ((nodes + status) / 2 s + 3 * report / 1 s) / 3 processors
 *
 * A report is taken to cost as much as a whole pull of the single node, HTTP included: more than it does.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { RawClient } from '../support/raw-client.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';

const EACH = Number(process.env['OPERATIONS_CONNECTIONS'] ?? 6000);
const NODES = 3;
const ALL = 100_000;
const PULLS = 300;
const PULL_EVERY_MS = 2000;
const REPORT_EVERY_MS = 1000;
const CONNECTING_AT_ONCE = 50;
/** One tick of the processor time in /proc. */
const TICK_MS = 10;
const IDLE_MS = 5000;

const clients: RawClient[] = [];

async function connect(node: ServiceProcess): Promise<void> {
  for (let from = 0; from < EACH; from += CONNECTING_AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(CONNECTING_AT_ONCE, EACH - from) }, async (_none, index) => {
        const client = await RawClient.connect({ port: node.port, localAddress: `127.0.${1 + (clients.length % 200)}.1` });
        client.keep = false;
        client.send({ action: 'subscribe', user_id: `user-${from + index}` });
        clients.push(client);
      }),
    );
  while (((await (await fetch(`${node.url}/ws/status`)).json()) as { active_connections: number }).active_connections < EACH)
    await delay(100);
}

/** Processor time of all threads of some processes. */
async function cpuMs(nodes: readonly ServiceProcess[]): Promise<number> {
  const texts = await Promise.all(nodes.map(({ child }) => readFile(`/proc/${child.pid}/stat`, 'utf8')));
  const fields = texts.map((text) => text.slice(text.lastIndexOf(')') + 2).split(' '));
  return fields.reduce((sum, field) => sum + (Number(field[11]) + Number(field[12])) * TICK_MS, 0);
}

/** Processor milliseconds that one pull costs all nodes together, beyond what they cost when nobody pulls. */
async function pullMs(nodes: readonly ServiceProcess[], paths: readonly string[]): Promise<number> {
  const spend = async (work: () => Promise<unknown>): Promise<{ spentMs: number; tookMs: number }> => {
    const [from, begun] = [await cpuMs(nodes), performance.now()];
    await work();
    return { spentMs: (await cpuMs(nodes)) - from, tookMs: performance.now() - begun };
  };
  const pull = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1)
      for (const path of paths) await (await fetch(`${nodes[index % nodes.length]?.url}${path}`)).arrayBuffer();
  };
  await pull(PULLS); // warms up
  const idle = await spend(() => delay(IDLE_MS));
  const pulling = await spend(() => pull(PULLS));
  return (pulling.spentMs - (idle.spentMs / idle.tookMs) * pulling.tookMs) / PULLS;
}

requireBinary('redis-server')('the view of operations', () => {
  it('takes at most one percent of the processor time of three nodes with 100 000 connections', async () => {
    const redis = await RedisServer.start();
    const settings = { WEBSOCKET_MAX_CONNECTIONS: String(EACH + 100), WEBSOCKET_AUDIT_FILE: '/dev/null' };
    const cluster = { ...settings, WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url };
    const started: ServiceProcess[] = [];
    try {
      for (let count = 0; count < NODES; count += 1) started.push(await startProcess(cluster));
      const nodes = started.slice();
      const single = await startProcess({ ...settings, WEBSOCKET_DATA_DIR: ':memory:' });
      started.push(single);
      const measure = async (): Promise<{ pull: number; report: number }> => ({
        pull: await pullMs(nodes, ['/ws/nodes', '/ws/status']),
        report: await pullMs([single], ['/ws/nodes']),
      });
      const empty = await measure();
      for (const node of started) await connect(node);
      const full = await measure();
      const at = (connections: number, name: 'pull' | 'report'): number =>
        empty[name] + (Math.max(0, full[name] - empty[name]) / EACH) * connections;
      const [pull, report] = [at(ALL / NODES, 'pull'), at(ALL / NODES, 'report')];
      const share = (pull / PULL_EVERY_MS + (NODES * report) / REPORT_EVERY_MS) / NODES;
      const text = (value: number): string => value.toFixed(2);
      process.stdout.write(
        `a pull costs ${text(empty.pull)} ms without connections, ${text(full.pull)} ms with ${EACH} on each node; a report at most ` +
          `${text(empty.report)} and ${text(full.report)} ms. With ${ALL} on ${NODES} nodes: ${text(pull)} and ${text(report)} ms, ` +
          `${text(share * 100)} % of three processors\n`,
      );
      expect(share).toBeLessThan(0.01);
    } finally {
      for (const client of clients) client.socket.destroy();
      for (const node of started) await node.stop('SIGKILL');
      await redis.stop();
    }
  }, 600_000);
});
