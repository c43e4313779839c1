/**
 * One step of the sweep in one partition: applies what is due, forgets what is old, and says where the event stream ends. With it the
 * node leaves its reading mark, and reports a jump of the server's clock.
 */
import type { WebhookEventName } from '../../../../protocol/webhook-events.js';
import { monotonicMs } from '../../../pacing/time-source.js';
import type { EngineReading } from '../../deadlines.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import { SWEEP } from '../scripts/node.js';
import type { EventStreams } from './event-streams.js';
import type { Gaps } from './gaps.js';
import type { Heartbeat } from './heartbeat.js';
import type { PartitionClock, PartitionClocks } from './partition-clock.js';
import type { PubSubProbe } from './pubsub-probe.js';

const STEP_ROWS = 500;
/**
 * Each partition probes pub/sub once in this many heartbeats. So a healthy connection for pub/sub never carries nothing for so
 * long that it counts as dead.
 */
const PROBE_EVERY = 2;

/** `alone` or `beside` other running nodes: the node starts. */
export type SweepPhase = 'alone' | 'beside' | 'starting' | 'running' | 'leaving';

/** What a sweep found. */
export type SweepReply = ReturnType<(typeof SWEEP)['decode']>;

export interface SweepResult {
  /** When something is due in the partition, by its clock. */
  nextAt: number | undefined;
  /** Whether more is due already. */
  more: boolean;
  /** The order of the newest event. */
  newestEvent: number;
  /** Up to where events were emitted by any node. */
  emittedUpTo: number;
}

export interface SweepParts {
  readonly nodeId: string;
  readonly retentionMs: number;
  readonly webhookEvents: readonly WebhookEventName[];
  /** How far the node has read its sockets; absent for an engine without any. */
  readonly reading: EngineReading | undefined;
  readonly runner: ScriptRunner;
  readonly clocks: PartitionClocks;
  readonly streams: EventStreams;
  readonly heartbeat: Heartbeat;
  readonly probe: PubSubProbe;
  readonly gaps: Gaps;
  /** Acts on what a sweep found. */
  readonly onSwept: (partition: number, reply: SweepReply) => Promise<void>;
}

interface Jump {
  /** The clock's offset when the node saw the jump. */
  offset: number;
  jump: number;
}

export class Sweep {
  /** By partition: a jump of the server's clock that the next sweep reports. */
  private readonly jumps = new Map<number, Jump>();

  constructor(private readonly parts: SweepParts) {}

  async run(partition: number, phase: SweepPhase): Promise<SweepResult> {
    const { runner, clocks, streams, heartbeat, probe, gaps, reading } = this.parts;
    const listens = phase === 'running' || phase === 'leaving';
    const position = streams.of(partition).position;
    const clock = clocks.of(partition);
    const jump = this.jumps.get(partition);
    const probeNumber = (partition + heartbeat.count) % PROBE_EVERY === 0 ? probe.next() : undefined;
    const sentAt = monotonicMs();
    const reply = await runner.run(SWEEP, partition, {
      node: this.parts.nodeId,
      retention: this.parts.retentionMs,
      limit: STEP_ROWS,
      start: phase === 'alone' || phase === 'beside' ? phase : '',
      emittedUpTo: listens ? position : undefined,
      probe: probeNumber,
      webhookEvents: this.parts.webhookEvents.map((event) => `${event} `).join(''),
      readingMark: readingMark(reading, clock, phase),
      serves: (reading?.servingSince ?? 0) < Infinity,
      jumpOffset: jump?.offset,
      jump: jump?.jump,
    });
    const receivedAt = monotonicMs();
    await this.parts.onSwept(partition, reply);
    if (listens) streams.of(partition).onHead(reply.newestEvent, position);
    gaps.noteSound(reply.now);
    const missedSince = probe.onSwept(partition, { number: probeNumber, at: reply.now, serverRun: reply.serverRun });
    if (missedSince !== undefined) gaps.report(missedSince);
    const { newestEvent, emittedUpTo } = reply;
    if (this.hasJumped(partition, jump !== undefined, reply, sentAt, receivedAt))
      return { nextAt: reply.now, more: true, newestEvent, emittedUpTo };
    return { nextAt: reply.more ? reply.now : reply.nextAt, more: reply.more, newestEvent, emittedUpTo };
  }

  /** Whether the server's clock has jumped, so that the next sweep reports it. @param reported whether this sweep reported a jump */
  private hasJumped(
    partition: number,
    reported: boolean,
    { now, clockOffset }: SweepReply,
    sentAt: number,
    receivedAt: number,
  ): boolean {
    const clock = this.parts.clocks.of(partition);
    const jump = clock.sample(now, sentAt, receivedAt);
    if (jump !== 0 && !reported) {
      this.jumps.set(partition, { offset: clockOffset, jump });
      return true;
    }
    this.jumps.delete(partition);
    // After a report the partition's clock is right, whatever it shows.
    if (jump !== 0) clock.reset(now, sentAt, receivedAt);
    return false;
  }
}

function readingMark(reading: EngineReading | undefined, clock: PartitionClock, phase: SweepPhase): string {
  if (!reading) return '';
  if (phase === 'leaving') return 'left';
  return String(clock.at(reading.readUntil) ?? 'now');
}
