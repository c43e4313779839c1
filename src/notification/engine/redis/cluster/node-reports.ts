/** What the living nodes say of themselves: each stores its report with its heartbeat, and anyone may read them all. */
import type { NodeReport } from '../../engine.js';
import type { Emitter } from '../../emitter.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import { REPORT, REPORTS } from '../scripts/node.js';
import type { NodeRegistry } from './node-registry.js';

/** A node that has not reported for this long has no report. */
const KEPT_MS = 15_000;

export class NodeReports {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly nodes: NodeRegistry,
    private readonly emitter: Emitter,
  ) {}

  async publish(): Promise<void> {
    const report = await this.emitter.emit((handler) => handler.describeNode());
    if (report !== undefined) await this.runner.runForNodes(REPORT, { node: this.nodes.id, report, ttl: KEPT_MS });
  }

  async read(): Promise<NodeReport[]> {
    const nodes = this.nodes.alive;
    const reports = await this.runner.runForNodes(REPORTS, { nodes });
    return nodes.flatMap((node, index) => {
      const report = reports[index];
      return report === undefined ? [] : [{ node: nameOf(node), report }];
    });
  }
}

/** The workers of a node share its name. */
const nameOf = (id: string): string => id.split('.')[2] ?? id;
