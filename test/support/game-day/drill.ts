/**
 * One case of a game day: something breaks, stays broken for a while, and is repaired. Meanwhile the alerts of Prometheus and
 * the readiness of every node are read, again and again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Prometheus } from '../prometheus.js';
import type { Load } from './load.js';

const POLL_MS = 250;
/** A node that answers later than this is silent. */
const READY_WITHIN_MS = 3000;
/** Nothing is pending or fires for this long: it has healed. */
const QUIET_MS = 3000;
const SETTLE_WITHIN_MS = 60_000;

export interface Drill {
  /** What breaks. */
  title: string;
  alert: string;
  /** Labels of the alert, where they matter. */
  labels?: Record<string, string>;
  /** Until the alert has to fire, in seconds of this run. */
  withinS: number;
  /** Until everything is as before, in seconds of this run. */
  healsWithinS: number;
  /** How long it stays broken at least, so that other alerts would fire. */
  holdS: number;
  /** What `/health/ready` answers meanwhile, by node. @default 200 everywhere */
  readiness?: readonly (number | 'silent')[];
  breaks(): Promise<unknown> | void;
  repairs(): Promise<unknown> | void;
}

export interface DrillReport {
  title: string;
  alert: string;
  firedAfterS: number | undefined;
  /** Names of other alerts that fired. */
  others: string[];
  readiness: string;
  acknowledged: string;
  lost: string[];
  healedAfterS: number | undefined;
}

export interface Stage {
  nodes: readonly { url: string }[];
  prometheus: Prometheus;
  load: Load;
}

export async function run(drill: Drill, stage: Stage): Promise<DrillReport> {
  const watch = new Watch(drill, stage);
  if (!(await watch.until(() => watch.isQuiet, SETTLE_WITHIN_MS))) throw new Error(`not quiet before: ${watch.state}`);
  watch.others.clear();
  stage.load.forget();
  const broken = performance.now();
  await drill.breaks();
  const fired = await watch.until(() => watch.isFiring, drill.withinS * 1000);
  const firedAfterS = fired ? secondsSince(broken) : undefined;
  watch.counts(true);
  await watch.until(() => false, Math.max(0, broken + drill.holdS * 1000 - performance.now()));
  if (watch.readiness.size === 0) await watch.until(() => watch.readiness.size > 0, 2 * READY_WITHIN_MS);
  watch.counts(false);
  const readiness = [...watch.readiness].join(', then ');
  const repaired = performance.now();
  await drill.repairs();
  const healed = await watch.until(() => watch.isQuiet, drill.healsWithinS * 1000);
  const healedAfterS = healed ? secondsSince(repaired + QUIET_MS) : undefined;
  const { prompts, answers, messages, failedCalls } = stage.load.totals();
  const acknowledged = `${prompts} prompts, ${answers} answers, ${messages} messages; ${failedCalls} calls failed`;
  const lost = await stage.load.lost(SETTLE_WITHIN_MS);
  const others = [...watch.others];
  return { title: drill.title, alert: drill.alert, firedAfterS, others, readiness, acknowledged, lost, healedAfterS };
}

/** What `/health/ready` of every node answered, as the report shows it. */
export const expectedReadiness = ({ readiness }: Drill, nodes: number): string =>
  (readiness ?? Array<number>(nodes).fill(200)).join(' ');

const secondsSince = (start: number): number => Math.round((performance.now() - start) / 100) / 10;

class Watch {
  readonly others = new Set<string>();
  readonly readiness = new Set<string>();
  isFiring = false;
  state = '';
  private quietSince: number | undefined;
  private ready: (number | 'silent')[] = [];
  private reading: Promise<void> | undefined;
  private countedFrom = Infinity;

  constructor(
    private readonly drill: Drill,
    private readonly stage: Stage,
  ) {}

  /** Nothing is pending or fires, and every node is ready: for a while. */
  get isQuiet(): boolean {
    return this.quietSince !== undefined && performance.now() - this.quietSince >= QUIET_MS;
  }

  /** From now on, the readiness of the nodes counts, or does not. */
  counts(isCounting: boolean): void {
    this.countedFrom = isCounting ? performance.now() : Infinity;
  }

  /** @returns whether the condition came to hold within the time */
  async until(condition: () => boolean, withinMs: number): Promise<boolean> {
    const end = performance.now() + withinMs;
    while (!condition()) {
      if (performance.now() > end) return false;
      await this.read();
      await delay(POLL_MS);
    }
    return true;
  }

  private async read(): Promise<void> {
    // A frozen node takes its time, and the alerts are read meanwhile.
    this.reading ??= this.readReadiness().finally(() => (this.reading = undefined));
    const alerts = await this.stage.prometheus.alerts();
    const isExpected = ({ name, labels }: (typeof alerts)[number]): boolean =>
      name === this.drill.alert && Object.entries(this.drill.labels ?? {}).every(([label, value]) => labels[label] === value);
    const firing = alerts.filter(({ state }) => state === 'firing');
    this.isFiring = firing.some(isExpected);
    for (const alert of firing) if (!isExpected(alert)) this.others.add(describe(alert));
    this.state = `${alerts.map((alert) => `${describe(alert)} is ${alert.state}`).join(', ')}; readiness ${this.ready.join(' ')}`;
    const isQuiet = alerts.length === 0 && this.ready.length > 0 && this.ready.every((status) => status === 200);
    this.quietSince = isQuiet ? (this.quietSince ?? performance.now()) : undefined;
  }

  private async readReadiness(): Promise<void> {
    const begun = performance.now();
    this.ready = await Promise.all(this.stage.nodes.map(({ url }) => readinessOf(url)));
    // What was asked before the alert fired does not count.
    if (begun > this.countedFrom) this.readiness.add(this.ready.join(' '));
  }
}

function describe({ name, labels }: { name: string; labels: Record<string, string> }): string {
  const { reason, log } = labels;
  return [name, reason ?? log].filter((word) => word !== undefined).join(' ');
}

async function readinessOf(url: string): Promise<number | 'silent'> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(READY_WITHIN_MS) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 'silent';
  }
}
