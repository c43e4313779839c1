/**
 * A counter that is added to far more often than it is read: adding is one addition, and a scrape makes the samples.
 * Its one label takes a closed set of values, all of which are there from the start.
 */
import { Counter, type Registry } from 'prom-client';

export interface TallyOptions {
  name: string;
  help: string;
  label: string;
  values: readonly string[];
  /** Counts whatever is not among the values. */
  rest: string;
}

export class Tally {
  private readonly counts: ReadonlyMap<string, { count: number }>;
  private readonly rest: { count: number };
  /** A broadcast adds to one count thousands of times. */
  private last: { value: string; cell: { count: number } };

  constructor(registry: Registry, { name, help, label, values, rest }: TallyOptions) {
    this.rest = { count: 0 };
    this.last = { value: rest, cell: this.rest };
    this.counts = new Map([...[...new Set(values)].map((value) => [value, { count: 0 }] as const), [rest, this.rest]]);
    const { counts } = this;
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, { count }] of counts) this.inc({ [label]: value }, count);
      },
    });
  }

  add(value: string, by = 1): void {
    if (value !== this.last.value) this.last = { value, cell: this.counts.get(value) ?? this.rest };
    this.last.cell.count += by;
  }
}
