/**
 * Game day: ten things break, one after the other, in real processes under load. Each time the right alert of
 * deploy/prometheus/alerts.yml fires within its time and no other does, readiness is right, nothing that was acknowledged is
 * lost, and everything heals. A real Prometheus evaluates the rules, whose times are divided by `FACTOR`.
 *
 * `GAME_DAY=short` runs two cases, `it`; the others are `inFull`. `GAME_DAY_WITHOUT=EngineAway,…` leaves out rules: their cases must then fail.
 * `-t 'title'` runs single cases. At the end a table is printed.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expectedReadiness, run, type Drill, type DrillReport, type Stage } from '../support/game-day/drill.js';
import { Load } from '../support/game-day/load.js';
import { ScaledRules } from '../support/game-day/scaled-rules.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { Prometheus } from '../support/prometheus.js';
import { RedisServer } from '../support/redis.js';
import { StallableNode } from '../support/stallable-node.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { SECRET, WebhookReceiver } from '../support/webhook-receiver.js';

const FACTOR = 30;
const WITHOUT = (process.env['GAME_DAY_WITHOUT'] ?? '').split(',');
const IS_SHORT = process.env['GAME_DAY'] === 'short';
/** Minutes of a real day, in seconds of this one. */
const minutes = (count: number): number => (count * 60) / FACTOR;
/** What the machine itself may add: scrapes and evaluations each second, and calls that wait for a time-out. */
const SLACK_S = 8;
/** Long enough for every rule that looks at the last 5 or 10 minutes; in short, for those of 5. */
const HOLD_S = minutes(IS_SHORT ? 6 : 12);
const HEALS_S = minutes(12) + 20;
const CASE_MS = 240_000;

const reports: DrillReport[] = [];
afterAll(() => console.log(tableOf(reports)));

async function drill(stage: Stage, given: Drill): Promise<void> {
  const report = await run(given, stage);
  reports.push(report);
  console.log(JSON.stringify({ ...report, lost: report.lost.slice(0, 5) }));
  expect(report).toEqual({
    ...report,
    firedAfterS: expect.any(Number),
    others: [],
    readiness: expectedReadiness(given, stage.nodes.length),
    lost: [],
    healedAfterS: expect.any(Number),
  });
}

/** A group of cases none of which is in the short game day. */
const describeInFull = IS_SHORT ? () => undefined : requireBinary('prometheus');
const inFull = (...given: Parameters<typeof it>): void => (IS_SHORT ? undefined : it(...given));

requireBinary('prometheus')('a game day of three nodes on one Redis', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let receiver: WebhookReceiver;
  let nodes: StallableNode[];
  let rules: ScaledRules;
  let stage: Stage;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'game-day-'));
    [redis, receiver, rules] = await Promise.all([
      RedisServer.start(),
      WebhookReceiver.start(),
      ScaledRules.create(FACTOR, WITHOUT),
    ]);
    proxy = await TcpProxy.start({ port: redis.port });
    nodes = await Promise.all(
      [0, 1, 2].map((index) =>
        StallableNode.start({
          WEBSOCKET_ENGINE: 'redis',
          WEBSOCKET_REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
          WEBSOCKET_TIMEOUT_DECISION: 'abort',
          WEBSOCKET_WEBHOOK_URL: receiver.url,
          WEBSOCKET_WEBHOOK_SECRET: SECRET,
          WEBSOCKET_LOG_FILE: join(folder, `node-${index}.log`),
        }),
      ),
    );
    const prometheus = await Prometheus.start(
      nodes.map(({ port }) => port),
      rules.file,
    );
    const delivered = (): Set<string> => new Set(receiver.deliveries.map(({ event }) => String(event.data['callback_id'])));
    const load = new Load(
      nodes.map(({ url }) => url),
      delivered,
    );
    await Promise.all(load.users.map(({ client }) => client.ready()));
    stage = { nodes, prometheus, load };
  }, 60_000);
  afterAll(async () => {
    await stage.load.stop();
    await stage.prometheus.stop();
    await Promise.all(nodes.map((node) => node.end()));
    await proxy.close();
    await receiver.stop();
    await redis.stop();
    await rules.remove();
    rmSync(folder, { recursive: true });
  }, 60_000);

  const node = (index: number): StallableNode => nodes[index] as StallableNode;

  it(
    'Redis is gone',
    () =>
      drill(stage, {
        title: 'Redis gone',
        alert: 'EngineAway',
        withinS: minutes(2) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        readiness: [503, 503, 503],
        breaks: () => redis.kill9(),
        repairs: () => redis.restart(),
      }),
    CASE_MS,
  );

  inFull(
    'Redis is slow',
    () =>
      drill(stage, {
        title: 'Redis slow (0.5 s a call)',
        alert: 'EngineSlow',
        withinS: minutes(11) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        breaks: () => proxy.delay(260),
        repairs: () => proxy.delay(0),
      }),
    CASE_MS,
  );

  inFull(
    'Redis is full',
    () =>
      drill(stage, {
        title: 'Redis full',
        alert: 'EngineRefuses',
        labels: { reason: 'store_full' },
        withinS: minutes(2) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        breaks: async () => {
          await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
          await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
        },
        repairs: () => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
      }),
    CASE_MS,
  );

  it(
    'a node is frozen',
    () =>
      drill(stage, {
        title: 'a node frozen',
        alert: 'NodeDown',
        labels: { instance: `127.0.0.1:${node(2).port}` },
        withinS: minutes(2) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        readiness: [200, 200, 'silent'],
        breaks: () => void node(2).child.kill('SIGSTOP'),
        repairs: () => void node(2).child.kill('SIGCONT'),
      }),
    CASE_MS,
  );

  inFull(
    'a hostile client floods a node',
    async () => {
      let flood: ChildProcess | undefined;
      await drill(stage, {
        title: 'a flood',
        alert: 'Flood',
        withinS: minutes(5) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        breaks: () => {
          const options = { port: node(0).port, token: 'none', userId: 'mallory', seconds: 120, seed: 1, callbackIds: ['none'] };
          flood = spawn(process.execPath, [HOSTILE_USER, JSON.stringify(options)], { stdio: 'ignore' });
        },
        repairs: async () => {
          flood?.kill('SIGKILL');
          if (flood) await once(flood, 'exit');
        },
      });
    },
    CASE_MS,
  );

  inFull(
    'the receiver of webhooks is down',
    () =>
      drill(stage, {
        title: 'a webhook receiver down',
        alert: 'WebhookBacklog',
        withinS: minutes(8) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S + 30,
        breaks: () => receiver.stop(),
        repairs: () => receiver.listen(),
      }),
    CASE_MS,
  );

  inFull(
    'the clock of a node jumps by an hour',
    () =>
      drill(stage, {
        title: 'a clock jump of an hour',
        alert: 'ClockWrong',
        labels: { instance: `127.0.0.1:${node(1).port}` },
        withinS: minutes(3) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        breaks: () => node(1).setClock(3600),
        repairs: () => node(1).setClock(0),
      }),
    CASE_MS,
  );

  inFull(
    'nobody answers',
    () =>
      drill(stage, {
        title: 'nobody answers',
        alert: 'NobodyAnswers',
        withinS: minutes(67) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        breaks: () => stage.load.answering(false, 5),
        repairs: () => stage.load.answering(true),
      }),
    minutes(67) * 1000 + CASE_MS,
  );

  inFull(
    'the log of a node cannot be written',
    () =>
      drill(stage, {
        title: 'a log that cannot be written',
        alert: 'LogNotWritten',
        labels: { instance: `127.0.0.1:${node(0).port}`, log: 'file' },
        withinS: minutes(7) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        // As a quota does it: no file of this process may grow.
        breaks: () => limitFiles(node(0), '1'),
        repairs: () => limitFiles(node(0), 'unlimited'),
      }),
    CASE_MS,
  );
});

describeInFull('a game day of one node on its own disk', () => {
  let disk: string;
  let service: ServiceProcess;
  let rules: ScaledRules;
  let stage: Stage;

  beforeAll(async () => {
    disk = mkdtempSync(join(tmpdir(), 'game-day-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk], { stdio: 'pipe' });
    rules = await ScaledRules.create(FACTOR, WITHOUT);
    service = await startProcess({ WEBSOCKET_DATA_DIR: join(disk, 'data'), WEBSOCKET_TIMEOUT_DECISION: 'abort' });
    const prometheus = await Prometheus.start([service.port], rules.file);
    const load = new Load([service.url]);
    await Promise.all(load.users.map(({ client }) => client.ready()));
    stage = { nodes: [service], prometheus, load };
  }, 60_000);
  afterAll(async () => {
    await stage.load.stop();
    await stage.prometheus.stop();
    await service.stop('SIGKILL');
    await rules.remove();
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  }, 60_000);

  it(
    'the disk is full',
    () =>
      drill(stage, {
        title: 'the disk full',
        alert: 'EngineRefuses',
        labels: { reason: 'store_full' },
        withinS: minutes(2) + SLACK_S,
        holdS: HOLD_S,
        healsWithinS: HEALS_S,
        breaks: () => fill(join(disk, 'filler')),
        repairs: () => rmSync(join(disk, 'filler')),
      }),
    CASE_MS,
  );
});

const HOSTILE_USER = fileURLToPath(new URL('../support/hostile-user.js', import.meta.url));

function limitFiles({ child }: StallableNode, bytes: string): void {
  // Only the soft limit, which can be raised again.
  execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:`]);
}

function fill(file: string): void {
  for (const size of [1024 * 1024, 4096]) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size, 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

function tableOf(rows: readonly DrillReport[]): string {
  const head = ['what broke', 'alert', 'fired after', 'others fired', 'readiness', 'acknowledged', 'lost', 'healed after'];
  const seconds = (value: number | undefined): string => (value === undefined ? 'never' : `${value.toFixed(1)} s`);
  const cells = rows.map((row) => [
    row.title,
    row.alert,
    seconds(row.firedAfterS),
    row.others.join(', ') || 'none',
    row.readiness,
    row.acknowledged,
    String(row.lost.length),
    seconds(row.healedAfterS),
  ]);
  const note = `times of rules divided by ${FACTOR}: 1 s here is ${FACTOR} s of a real day`;
  return [head, head.map(() => '---'), ...cells].map((row) => `| ${row.join(' | ')} |`).join('\n') + `\n(${note})`;
}
