/** Gauges whose values live elsewhere and are read at each scrape. A reading that fails costs no other figure. */
import { Gauge, type Registry } from 'prom-client';

/** How the values of a node's workers are combined. */
export type Aggregator = 'sum' | 'max' | 'average';

export interface GaugeOptions {
  name: string;
  help: string;
  /** @default 'max' */
  aggregator?: Aggregator;
}

/** @param read `undefined`: there is no value */
export function registerGauge(
  registry: Registry,
  { name, help, aggregator = 'max' }: GaugeOptions,
  read: () => number | Promise<number | undefined>,
): void {
  new Gauge({
    name,
    help,
    aggregator,
    registers: [registry],
    async collect() {
      const value = await Promise.resolve(read()).catch(() => Number.NaN);
      if (value === undefined) this.remove();
      else this.set(value);
    },
  });
}

/** @param read pairs of a value of `label` and a number */
export function registerGauges(
  registry: Registry,
  { name, help, aggregator = 'max' }: GaugeOptions,
  label: string,
  read: () => Promise<[value: string, number: number][]>,
): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    aggregator,
    registers: [registry],
    async collect() {
      this.reset();
      for (const [value, number] of await read().catch(() => [])) this.set({ [label]: value }, number);
    },
  });
}

/** @returns `read`, whose result is shared by all that ask while it is under way */
export function shared<Result>(read: () => Promise<Result>): () => Promise<Result> {
  let underWay: Promise<Result> | undefined;
  return () =>
    (underWay ??= read().finally(() => {
      underWay = undefined;
    }));
}
