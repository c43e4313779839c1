/**
 * What happens around the confirmations while nodes and stores fail, from a seed: plain publications to readers who
 * stay connected, whose connections break, and who come back late; messages that some phone acknowledges, or none; people with
 * more phones than the limit; tasks that are cancelled and resumed again and again.
 *
 * Every lane repeats its steps until the last fault is over. Then each task is resumed once more, each prompt is read, and
 * the record is complete as soon as the checker has nothing left to wait for.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { NaiveClient } from '../../support/naive-client.js';
import { Random } from '../../support/random.js';
import { checkDelivery, type DeliveryViolation } from '../delivery-checker.js';
import { Phone, restOnce, startReader, type DeliveryRecorder } from '../delivery-clients.js';
import type { Site } from '../sites/single-node.js';

/** The service's setting `WEBSOCKET_MAX_CONNECTIONS_PER_USER` under this workload. */
export const PHONES_PER_USER = 2;

const PEOPLE = 4;
const READERS = ['stands', 'breaks', 'stands', 'rests'] as const;
/** Channels that carry little: what is lost there shows by itself, and not by the next message. */
const QUIET_CHANNELS = 20;
const TASKS = 4;
const PROMPTS_PER_TASK = 3;
/** A fault that is repaired is noticed and made good within this time, also on a slow machine. */
const SETTLE_MS = 30_000;

export interface DeliveriesOptions {
  seed: number;
  /** Each is done once, in this order, while everything else goes on. */
  faults: readonly (() => Promise<void>)[];
}

export class Deliveries {
  private readonly readers: NaiveClient[] = [];
  private readonly phones = new Set<Phone>();
  private readonly prompts = new Map<number, string>();
  private readonly waiting = new Set<Promise<void>>();
  private readonly tasks = new Set<string>();
  /** Grows when an older copy of the data is put back: tasks have new names from then on. */
  private generation = 0;
  private ending = false;
  private quiet = 0;

  constructor(
    private readonly site: Site,
    private readonly recorder: DeliveryRecorder,
    private readonly options: DeliveriesOptions,
  ) {}

  /** @returns what the checker found */
  async run(): Promise<DeliveryViolation[]> {
    const { seed, faults } = this.options;
    try {
      this.startReaders();
      const lanes = [
        ...range(4).map((lane) => this.repeat(Random.of(seed, 1, lane), (random) => this.publish(random))),
        ...range(PEOPLE).map((index) =>
          this.repeat(Random.of(seed, 2, index), (random) => this.usePhones(`person-${index}`, random)),
        ),
        ...range(2).map((lane) => this.repeat(Random.of(seed, 3, lane), (random) => this.send(random))),
        ...range(TASKS).map((index) => this.repeat(Random.of(seed, 4, index), (random) => this.cancelAndResume(index, random))),
      ];
      const all = Promise.all(lanes);
      const random = Random.of(seed, 5);
      for (const fault of faults) {
        await Promise.race([all, pause(random.between(200, 500))]);
        await fault();
      }
      // Nothing is published after the last fault: what was lost in it has no successor that would show the gap.
      this.ending = true;
      await all;
      return await this.settle();
    } finally {
      this.ending = true;
      await Promise.all([...this.readers.map((reader) => reader.stop()), ...[...this.phones].map((phone) => phone.leave(true))]);
    }
  }

  /** To be called while no node runs, when an older copy of the data has been put back. */
  restored(): void {
    this.generation += 1;
    this.recorder.record({ kind: 'restored' });
  }

  private async repeat(random: Random, step: (random: Random) => Promise<void>): Promise<void> {
    while (!this.ending) {
      await step(random);
      await pause(random.between(0, 15));
    }
  }

  /* ---- plain messages ---- */

  private startReaders(): void {
    for (const [index, kind] of READERS.entries()) {
      const random = Random.of(this.options.seed, 6, index);
      const channels = ['broadcast', `user:reader-${index}`, ...range(QUIET_CHANNELS).map((number) => `task:quiet-${number}`)];
      const reader = { name: `reader ${index}`, channels, random: () => random.next(), kind };
      this.readers.push(startReader(this.recorder, this.site, reader));
    }
  }

  private async publish(random: Random): Promise<void> {
    const [channel, path] = random.pick([
      () => ['broadcast', '/ws/broadcast'] as const,
      () => {
        const user = `reader-${random.between(0, READERS.length - 1)}`;
        return [`user:${user}`, `/ws/users/${user}/messages`] as const;
      },
      () => {
        const task = `quiet-${(this.quiet += 1) % QUIET_CHANNELS}`;
        return [`task:${task}`, `/ws/tasks/${task}/messages`] as const;
      },
    ])();
    const [call, message] = [this.recorder.next(), this.recorder.next()];
    const node = await this.site.node();
    this.recorder.record({ kind: 'publish', call, channel, message });
    const reply = await restOnce(node, 'POST', path, { type: 'note', on: channel, n: message });
    this.recorder.record({ kind: reply?.ok ? 'accepted' : 'failed', call });
  }

  /* ---- people ---- */

  /** One phone after the other: their order is the order in which the service took them. */
  private async usePhones(userId: string, random: Random): Promise<void> {
    const phone = await this.connectPhone(userId);
    await pause(random.between(0, 60));
    if (random.chance(0.4)) await phone.leave(random.chance(0.5));
  }

  private async connectPhone(userId: string): Promise<Phone> {
    const node = await this.site.node();
    const phone = new Phone(this.recorder, node, userId, (mail, shownOn) => {
      if (isToBeAcknowledged(mail.message)) shownOn.acknowledge(mail);
    });
    this.phones.add(phone);
    void phone.closed.then(() => this.phones.delete(phone));
    await phone.taken;
    return phone;
  }

  /** Some senders wait. Those of a message that somebody acknowledges wait much longer than an acknowledgement takes. */
  private async send(random: Random): Promise<void> {
    const message = this.recorder.next();
    const wait = random.chance(0.5) ? `&wait=${isToBeAcknowledged(message) ? 20 : 1}` : '';
    await this.sendTo(`person-${random.between(0, PEOPLE - 1)}`, message, wait);
  }

  private async sendTo(userId: string, message: number, wait = ''): Promise<void> {
    const call = this.recorder.next();
    const node = await this.site.node();
    this.recorder.record({ kind: 'send', call, userId, message });
    const path = `/ws/users/${userId}/messages?requires_ack=true${wait}`;
    const sent = restOnce(node, 'POST', path, { type: 'mail', n: message }).then((reply) => {
      if (!reply?.ok) return this.recorder.record({ kind: 'failed', call });
      const acknowledged = reply.body['acknowledged'] as boolean | undefined;
      this.recorder.record({ kind: 'sent', call, ...(acknowledged !== undefined && { acknowledged }) });
    });
    this.waiting.add(sent);
    void sent.finally(() => this.waiting.delete(sent));
    if (wait === '') await sent;
  }

  /* ---- tasks ---- */

  private async cancelAndResume(index: number, random: Random): Promise<void> {
    const { generation } = this;
    const taskId = `task-${generation}-${index}`;
    this.tasks.add(taskId);
    const open = (): Promise<unknown> =>
      Promise.all(range(PROMPTS_PER_TASK).map((person) => this.open(taskId, `asked-${person}`)));
    const call = (kind: 'cancel' | 'resume') => () => this.callTask(kind, taskId);
    for (const phase of [open, call('cancel'), call('resume'), open]) {
      if (generation !== this.generation) return;
      await phase();
      await pause(random.between(0, 40));
    }
  }

  private async open(taskId: string, userId: string): Promise<void> {
    const [call, prompt] = [this.recorder.next(), this.recorder.next()];
    const { generation } = this;
    const node = await this.site.node();
    if (generation !== this.generation) return;
    this.recorder.record({ kind: 'open', call, taskId, prompt });
    const body = { user_id: userId, task_id: taskId, step: 1, step_result: { message: 'Go on?' }, timeout: 600 };
    const reply = await restOnce(node, 'POST', '/ws/confirmations', body);
    if (reply?.ok) this.prompts.set(prompt, String(reply.body['callback_id']));
    this.recorder.record({ kind: reply?.ok ? 'accepted' : 'failed', call });
  }

  private async callTask(kind: 'cancel' | 'resume', taskId: string): Promise<void> {
    const call = this.recorder.next();
    const { generation } = this;
    const node = await this.site.node();
    if (generation !== this.generation) return;
    this.recorder.record({ kind, call, taskId });
    const path = `/ws/tasks/${taskId}/cancel`;
    const reply = kind === 'cancel' ? await restOnce(node, 'POST', path, {}) : await restOnce(node, 'DELETE', path);
    this.recorder.record({ kind: reply?.ok ? 'accepted' : 'failed', call });
  }

  /* ---- the end ---- */

  private async settle(): Promise<DeliveryViolation[]> {
    for (const reader of this.readers) reader.settle();
    // A sender that still waits needs a phone that acknowledges its message.
    await Promise.all(range(PEOPLE).map((index) => this.connectPhone(`person-${index}`)));
    await Promise.all(this.waiting);
    // However short the run was, it holds a message that every phone is shown and nobody acknowledges.
    let message = this.recorder.next();
    while (isToBeAcknowledged(message)) message = this.recorder.next();
    await this.sendTo('person-0', message);
    // The next call of a task finishes a cancellation that failed half way.
    await Promise.all([...this.tasks].map((taskId) => this.callTask('resume', taskId)));
    const node = await this.site.node();
    for (const [prompt, callbackId] of this.prompts) {
      const reply = await restOnce(node, 'GET', `/ws/confirmations/${callbackId}`);
      if (reply?.ok) this.recorder.record({ kind: 'state', prompt, state: String(reply.body['state']) });
    }
    const deadline = Date.now() + SETTLE_MS;
    for (;;) {
      const violations = checkDelivery([...this.recorder.entries, { kind: 'settled' }], { limit: PHONES_PER_USER });
      if (violations.length === 0 || Date.now() > deadline) {
        this.recorder.record({ kind: 'settled' });
        return violations;
      }
      await pause(50);
    }
  }
}

/** One message in four is acknowledged by nobody. */
const isToBeAcknowledged = (message: number): boolean => message % 4 !== 0;

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
