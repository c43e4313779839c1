/** The nodes of the cluster: a table of what each does now, and charts of all of them over the last minutes. */
import { html, svg, type TemplateResult } from 'lit-html';
import { visible } from './text.js';

interface Times {
  count: number;
  sum: number;
}

/** As `GET /ws/nodes` gives it. Counters count since the node started. */
export interface NodeCounts {
  node: string;
  workers: number;
  connections: number;
  messages_sent: number;
  errors: number;
  slow_closes: number;
  queue_bytes: number;
  confirmations_decided: Record<string, number>;
  round_trips: Times;
  deliveries: Times;
}

interface Sample {
  atMs: number;
  nodes: ReadonlyMap<string, NodeCounts>;
  pending: number;
}

/** Five minutes. */
const MOST_SAMPLES = 150;

/** What was read in the last minutes. */
export class NodeHistory {
  readonly samples: Sample[] = [];

  add(atMs: number, nodes: readonly NodeCounts[], pending: number): void {
    this.samples.push({ atMs, nodes: new Map(nodes.map((node) => [node.node, node])), pending });
    if (this.samples.length > MOST_SAMPLES) this.samples.shift();
  }
}

const decisionsOf = ({ confirmations_decided: decided }: NodeCounts): number =>
  Object.values(decided).reduce((sum, count) => sum + count, 0);

/** How much a counter of one node grew a second. A node that restarted begins at zero again. */
function rate(newer: Sample, older: Sample | undefined, node: string, read: (counts: NodeCounts) => number): number {
  const [after, before] = [newer.nodes.get(node), older?.nodes.get(node)];
  if (!after || !before || !older) return 0;
  return Math.max(0, read(after) - read(before)) / ((newer.atMs - older.atMs) / 1000);
}

/** The mean of the times that were measured between two samples, in milliseconds. */
function mean(newer: Sample, older: Sample | undefined, node: string, read: (counts: NodeCounts) => Times): number | undefined {
  const [after, before] = [newer.nodes.get(node), older?.nodes.get(node)];
  if (!after) return undefined;
  const [now, then] = [read(after), before && read(before).count <= read(after).count ? read(before) : { count: 0, sum: 0 }];
  return now.count === then.count ? undefined : ((now.sum - then.sum) / (now.count - then.count)) * 1000;
}

const short = (value: number | undefined, digits = 0): string =>
  value === undefined ? '–' : value.toLocaleString(undefined, { maximumFractionDigits: digits });

export function nodesView({ samples }: NodeHistory): TemplateResult {
  const newest = samples.at(-1);
  const older = samples.at(-6) ?? samples[0];
  if (!newest) return html`<p>Reading the nodes…</p>`;
  const row = (counts: NodeCounts): TemplateResult => {
    const { node } = counts;
    return html`<tr>
      <th scope="row">${visible(node)}${counts.workers > 1 ? html` <small>${counts.workers} workers</small>` : ''}</th>
      <td>${short(counts.connections)}</td>
      <td>
        ${short(
          rate(newest, older, node, ({ messages_sent: sent }) => sent),
          1,
        )}
      </td>
      <td>${short(rate(newest, older, node, decisionsOf), 1)}</td>
      <td>
        ${short(
          mean(newest, older, node, ({ deliveries }) => deliveries),
          1,
        )}
      </td>
      <td>
        ${short(
          mean(newest, samples[0], node, ({ round_trips: times }) => times),
          1,
        )}
      </td>
      <td>${short(counts.queue_bytes)}</td>
      <td>${short(counts.slow_closes)}</td>
      <td>${short(counts.errors)}</td>
    </tr>`;
  };
  return html`<div class="wide" tabindex="0" role="region" aria-label="Nodes">
    <table>
      <caption>
        Nodes
      </caption>
      <thead>
        <tr>
          <th scope="col">Node</th>
          <th scope="col">Connections</th>
          <th scope="col">Messages/s</th>
          <th scope="col">Decisions/s</th>
          <th scope="col">Delivery, ms</th>
          <th scope="col">Round trip, ms</th>
          <th scope="col">Queued bytes</th>
          <th scope="col">Cut for reading slowly</th>
          <th scope="col">Errors sent</th>
        </tr>
      </thead>
      <tbody>
        ${[...newest.nodes.values()].map(row)}
      </tbody>
    </table>
  </div>`;
}

export function chartsView({ samples }: NodeHistory): TemplateResult {
  const over = (read: (newer: Sample, older: Sample | undefined) => number): number[] =>
    samples.map((sample, index) => read(sample, samples[index - 1]));
  const total = (sample: Sample, read: (node: string) => number): number =>
    [...sample.nodes.keys()].reduce((sum, node) => sum + read(node), 0);
  const connections = over((sample) => total(sample, (node) => sample.nodes.get(node)?.connections ?? 0));
  const messages = over((sample, older) => total(sample, (node) => rate(sample, older, node, ({ messages_sent: sent }) => sent)));
  // Every node sees every decision.
  const decisions = over((sample, older) =>
    Math.max(0, ...[...sample.nodes.keys()].map((node) => rate(sample, older, node, decisionsOf))),
  );
  return html`<div class="charts">
    ${chart('Connections', connections)}${chart('Messages/s', messages)}${chart('Decisions/s', decisions)}${chart(
      'Waiting for a decision',
      samples.map(({ pending }) => pending),
    )}
  </div>`;
}

const [WIDTH, HEIGHT] = [300, 60];

/** One line, from zero to its highest value. */
function chart(name: string, values: readonly number[]): TemplateResult {
  const highest = Math.max(1, ...values);
  const points = values.map(
    (value, index) => `${(index / (MOST_SAMPLES - 1)) * WIDTH},${HEIGHT - (value / highest) * (HEIGHT - 2) - 1}`,
  );
  return html`<figure>
    <figcaption>${name} <strong>${short(values.at(-1), 1)}</strong> <small>highest ${short(highest, 1)}</small></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${name} over the last five minutes" preserveAspectRatio="none">
      ${svg`<polyline points=${points.join(' ')} />`}
    </svg>
  </figure>`;
}
