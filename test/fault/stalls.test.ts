/**
 * Nodes that are blocked (1-10 s), stopped (SIGSTOP), or whose wall clock jumps both ways, with answers in their sockets:
 * no timely answer is lost, and nothing becomes a *proceed* that nobody gave.
 *
 * `STALL_ROUNDS` says how many rounds (default 24, full 200), `SEED` repeats a run.
 */
import { READING_LEASE_MS } from '../../src/notification/engine/redis/reading-lease.js';
import { RedisServer } from '../support/redis.js';
import { runRound, type Fault, type RoundReport, type World } from '../support/stall-rounds.js';
import { StallableNode } from '../support/stallable-node.js';
import { requireBinary } from '../support/system.js';
import { Random, seedOf } from '../support/random.js';

const ROUNDS = Number(process.env['STALL_ROUNDS'] ?? 24);
/** Worlds that live at once: a stalled node uses no processor. */
const WORLDS = 4;

requireBinary('redis-server')('a node that stalls', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const embedded = async (): Promise<World> => {
    const node = await StallableNode.start({ WEBSOCKET_ENGINE: 'embedded' });
    closing.push(() => node.end());
    return { engine: 'embedded', nodes: [node], leaseMs: Infinity };
  };
  const redis = async (): Promise<World> => {
    const server = await RedisServer.start();
    closing.push(() => server.stop());
    const nodes = await Promise.all(
      [0, 1, 2].map(() => StallableNode.start({ WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: server.url })),
    );
    for (const node of nodes) closing.push(() => node.end());
    return { engine: 'redis', nodes, leaseMs: READING_LEASE_MS };
  };
  const faultOf = (random: Random): Fault => {
    const kind = random.pick(['block', 'block', 'freeze', 'clock'] as const);
    if (kind === 'clock') return { kind, seconds: random.pick([-86_400, -3600, -30, 30, 3600, 86_400]) };
    return { kind, ms: random.between(1000, 10_000) };
  };

  it.each([
    { engine: 'embedded', make: embedded },
    { engine: 'redis', make: redis },
  ])(
    'loses no timely answer and invents no proceed with the $engine engine',
    async ({ engine, make }) => {
      const seed = seedOf(`stalls, ${engine}`);
      const rounds = Math.ceil(ROUNDS / 2);
      const worlds = Math.min(WORLDS, rounds);
      const total: RoundReport = { timely: 0, silent: 0, late: 0, violations: [] };
      let next = 0;
      const work = async (own: number): Promise<void> => {
        const world = await make();
        for (;;) {
          const round = next++;
          if (round >= rounds) return;
          const random = Random.of(seed, own, round);
          const report = await runRound(world, `w${own}r${round}`, faultOf(random), random);
          total.timely += report.timely;
          total.silent += report.silent;
          total.late += report.late;
          total.violations.push(...report.violations);
        }
      };
      await Promise.all(Array.from({ length: worlds }, (_, own) => work(own)));
      const { violations, ...counts } = total;
      console.log(JSON.stringify({ engine, rounds, ...counts, violations: violations.length }));
      expect(violations.slice(0, 5)).toEqual([]);
    },
    Math.max(300_000, ROUNDS * 15_000),
  );
});
