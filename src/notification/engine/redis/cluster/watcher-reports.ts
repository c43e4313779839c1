/**
 * Reports to Redis how many connections of this node watch each channel. Every node estimates from these counts how many
 * connections a message reaches. A report that fails is repeated by `refresh`.
 */
import { BROADCAST_CHANNEL, parseChannel } from '../../../../protocol/channels.js';
import { SingleFlight } from '../../../pacing/single-flight.js';
import { setImmediate } from '../../../pacing/time-source.js';
import { EVERYTHING } from '../../broker.js';
import type { Emitter } from '../../emitter.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { WATCH } from '../scripts/message.js';

const REMEMBERED_MS = 86_400_000;

export class WatcherReports {
  /** Counts that Redis does not know yet, by channel. */
  private readonly unreported = new Map<string, number>();
  private readonly reporting = new SingleFlight(() => this.refreshSoon());

  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly nodeId: string,
    private readonly emitter: Pick<Emitter, 'report'>,
  ) {}

  /** Reports a count soon. The heartbeat reports anonymous connections, and the number of all connections. */
  report(channel: string, count: number): void {
    if (channel === EVERYTHING || channel === BROADCAST_CHANNEL) return;
    this.unreported.set(channel, count);
    void this.reporting.run();
  }

  /** Reports made in one turn of the event loop go together. */
  private async refreshSoon(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    await this.refresh().catch((error: unknown) => this.emitter.report('reporting what this node watches', error));
  }

  /** Sends every count that Redis does not know. @throws EngineUnavailableError */
  async refresh(): Promise<void> {
    const counts = [...this.unreported];
    this.unreported.clear();
    const results = await Promise.allSettled(
      counts.map(([channel, count]) => {
        const partition = this.partitions.ofChannel(parseChannel(channel));
        return this.runner.run(WATCH, partition, { channel, node: this.nodeId, count, ttl: REMEMBERED_MS });
      }),
    );
    for (const [index, { status }] of results.entries()) {
      const [channel, count] = counts[index] ?? [];
      if (status === 'rejected' && channel !== undefined && count !== undefined && !this.unreported.has(channel))
        this.unreported.set(channel, count);
    }
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason as Error;
  }
}
