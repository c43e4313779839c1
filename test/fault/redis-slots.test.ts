/**
 * Slots of a Redis Cluster are moved from master to master, with live prompts in them, while they are asked, answered and
 * read on two nodes.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Partitions, slotOf } from '../../src/notification/engine/redis/partitions.js';
import { question } from '../contract/engine/engine-under-test.js';
import { RedisNodes, type Node, untilAvailable } from '../support/redis-nodes.js';
import { RedisCluster } from '../support/redis.js';
import { requireBinary } from '../support/system.js';

const PARTITIONS = 3;

requireBinary('redis-server')('slots of a Redis Cluster that are moved', () => {
  let cluster: RedisCluster;
  let nodes: RedisNodes;

  beforeEach(async () => {
    cluster = await RedisCluster.start();
    nodes = new RedisNodes(cluster.url, { partitions: PARTITIONS });
  });
  afterEach(async () => {
    await nodes.close();
    await cluster.stop();
  });

  it('lose nothing, decide each prompt once, and are heard of afterwards', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()];
    const both = [a, b];
    const slots = [...new Partitions(PARTITIONS).all.map((partition) => slotOf(`ws:0:{p${partition}}`)), slotOf('ws:0:{nodes}')];
    const users = Array.from({ length: 9 }, (_, index) => `user-${index}`);
    for (const userId of users) await b.engine.broker.watch(`user:${userId}`);
    const decided = new Map<string, boolean>();
    const faults: string[] = [];
    let asked = 0;
    let working = true;
    const work = async (self: Node, other: Node, name: string): Promise<void> => {
      for (let step = 0; working; step += 1) {
        const request = question({
          callbackId: randomUUID(),
          userId: users[step % users.length]!,
          taskId: `${name}-${step % 3}`,
          key: `${name}-${step}`,
          fingerprint: 'f',
        });
        asked += 1;
        const opened = await untilAvailable(() => self.engine.confirmations.open(request));
        // The same key finds the same prompt, wherever its slot is.
        const found = await untilAvailable(() => other.engine.confirmations.open({ ...request, callbackId: randomUUID() }));
        const { callbackId } = opened.confirmation;
        if (found.created || found.confirmation.callbackId !== callbackId) faults.push(`a second prompt for ${request.key}`);
        const answers = await Promise.all(
          [self, other].map((node, index) =>
            untilAvailable(() =>
              node.engine.confirmations.decide({
                callbackId,
                scope: 'all',
                answeredBy: `device-${index}`,
                answer: { proceed: index === 0 },
              }),
            ),
          ),
        );
        const verdicts = answers.map((answer) => 'confirmation' in answer && answer.confirmation.decision?.proceed);
        if (verdicts[0] === false ? verdicts[1] !== false : verdicts[1] !== true) faults.push(`two verdicts on ${callbackId}`);
        if (answers.some(({ status }) => status === 'not_found')) faults.push(`${callbackId} was not found`);
        decided.set(callbackId, verdicts[0] === true);
      }
    };
    const works = Promise.all([0, 1, 2, 3].map((index) => work(both[index % 2]!, both[1 - (index % 2)]!, `w${index}`)));
    while (decided.size < 50) await delay(10);
    let moved = 0;
    for (const slot of slots) {
      const owner = await cluster.ownerOf(slot);
      const to = cluster.servers[(cluster.servers.indexOf(owner) + 1) % cluster.servers.length]!;
      let slowly = 0;
      moved += await cluster.moveSlot(slot, to, () => ((slowly += 1) % 20 === 0 ? delay(2) : Promise.resolve()));
      const before = decided.size;
      while (decided.size < before + 30) await delay(10);
    }
    working = false;
    await works;
    expect(faults).toEqual([]);
    for (const [callbackId, proceed] of decided)
      expect(await untilAvailable(() => a.engine.confirmations.get(callbackId))).toMatchObject({
        state: 'answered',
        decision: { proceed },
      });
    for (const { recorder } of both) {
      await recorder.nth('decided', decided.size);
      const emitted = recorder.of('decided').map(({ confirmation }) => confirmation.callbackId);
      expect(emitted).toHaveLength(decided.size);
      expect(new Set(emitted)).toEqual(new Set(decided.keys()));
    }
    console.log(`slots: ${moved} keys moved in ${slots.length} slots under ${asked} questions`);
  }, 90_000);

  it('show prompts and emit decisions that came while the subscriptions moved', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()];
    const slot = slotOf(`ws:0:{p${new Partitions(PARTITIONS).of('ann')}}`);
    await b.engine.broker.watch('user:ann');
    await b.engine.broker.watch('task:t');
    const asked: string[] = [];
    const sent: string[] = [];
    let working = true;
    const asking = (async () => {
      while (working) {
        asked.push((await untilAvailable(() => a.engine.confirmations.open(question()))).confirmation.callbackId);
        const messageId = randomUUID();
        const message = { messageId, userId: 'ann', message: { type: 'mail' }, ttlMs: 600_000 };
        await untilAvailable(() => a.engine.broker.sendAcknowledged(message));
        sent.push(messageId);
        await delay(2);
      }
    })();
    for (let move = 0; move < 6; move += 1) {
      const owner = await cluster.ownerOf(slot);
      await cluster.moveSlot(slot, cluster.servers[(cluster.servers.indexOf(owner) + 1) % 3]!);
      // Nobody moves a slot all the time: a node looks at it once in a while.
      await delay(1500);
    }
    working = false;
    await asking;
    const missing = () => {
      const shown = new Set(b.recorder.of('opened').map(({ confirmation }) => confirmation.callbackId));
      const got = new Set(b.recorder.of('message').map(({ message }) => message.messageId));
      return [...asked.filter((id) => !shown.has(id)), ...sent.filter((id) => !got.has(id))];
    };
    console.log(`slots: ${missing().length} of ${asked.length + sent.length} were missed at first`);
    for (const until = Date.now() + 10_000; missing().length > 0 && Date.now() < until;) await delay(20);
    expect(missing()).toEqual([]);
    expect(b.recorder.of('opened')).toHaveLength(asked.length);
  }, 90_000);
});
