/** The Redis engine with WAIT for a replica: what the replica does not have was not acknowledged, and is not emitted. */
import { EngineUnavailableError } from '../../../src/notification/notification.errors.js';
import { RedisNodes, type Node, untilAvailable } from '../../support/redis-nodes.js';
import { RedisServer } from '../../support/redis.js';
import { requireBinary } from '../../support/system.js';
import { question } from './engine-under-test.js';

requireBinary('redis-server')('the redis engine that waits for a replica', () => {
  let master: RedisServer;
  let replica: RedisServer;
  let nodes: RedisNodes;

  beforeEach(async () => {
    master = await RedisServer.start();
    replica = await master.startReplica();
    nodes = new RedisNodes(master.url, { waitReplicas: 1, commandTimeoutMs: 1500 });
    // A replica that has just come says only once a second what it has.
    const { engine } = await nodes.start();
    await untilAvailable(() => engine.confirmations.open(question({ userId: 'somebody else' })));
    await engine.close();
  });
  afterEach(async () => {
    await nodes.close();
    await Promise.all([master.stop(), replica.stop()]);
  });

  const ask = async ({ engine }: Node, overrides = {}): Promise<string> =>
    (await engine.confirmations.open(question(overrides))).confirmation.callbackId;
  const answer = ({ engine }: Node, callbackId: string) =>
    engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', answer: { proceed: true } });

  it('refuses what is written without one, and takes it when there is one again', async () => {
    const node = await nodes.start();
    const [first, request] = [question(), question({ userId: 'bob' })];
    const { confirmation: asked } = await untilAvailable(() => node.engine.confirmations.open(first));
    expect((await untilAvailable(() => answer(node, asked.callbackId))).status).toMatch(/accepted|repeated/);
    await replica.kill9();
    await expect(node.engine.confirmations.open(request)).rejects.toThrow(EngineUnavailableError);
    await replica.restart();
    const { confirmation } = await untilAvailable(() => node.engine.confirmations.open(request));
    expect((await node.engine.waiting('bob')).pendingIds).toEqual([confirmation.callbackId]);
  });

  it('reads, counts and renews its lease meanwhile: nothing stands behind a WAIT', async () => {
    const [node, other] = [await nodes.start(), await nodes.start()];
    const pending = await ask(node);
    replica.pause();
    const refused = Promise.allSettled(Array.from({ length: 20 }, () => ask(node, { userId: 'bob' })));
    let over = false;
    void refused.then(() => (over = true));
    let reads = 0;
    for (; !over; reads += 1) {
      expect((await node.engine.confirmations.get(pending))?.state).toBe('pending');
      expect(await node.engine.cluster(1)).toMatchObject({ nodes: 2 });
      await node.engine.presence.connect(`c${reads}`, 'ann');
    }
    expect((await refused).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 'rejected'));
    // Behind a WAIT each would have taken as long as all of the refusals.
    expect(reads).toBeGreaterThan(5);
    expect((await other.engine.confirmations.list({ scope: ['ann'], state: 'pending', limit: 10 })).items).toHaveLength(1);
    replica.resume();
    expect((await untilAvailable(() => answer(node, pending))).status).toBe('accepted');
  });

  it('emits and returns no decision until the replica has it', async () => {
    const [node, other] = [await nodes.start(), await nodes.start()];
    const [callbackId, expiring] = [await ask(node), await ask(node, { timeoutMs: 300 })];
    replica.pause();
    await expect(answer(node, callbackId)).rejects.toThrow(EngineUnavailableError);
    // Decided it is, in the one place where it can be lost.
    expect(await master.command('HGET', `ws:0:{p${callbackId.split('.')[0]}}:confirmation:${callbackId}`, 'state')).toContain(
      'answered',
    );
    const asked = [node, other].flatMap(({ engine }) => [
      engine.confirmations.get(callbackId),
      engine.confirmations.get(expiring),
      engine.confirmations.list({ scope: ['ann'], limit: 10 }),
    ]);
    const settled = await Promise.allSettled([...asked, answer(other, callbackId)]);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    for (const { recorder } of [node, other]) expect(recorder.of('decided')).toEqual([]);
    replica.resume();
    for (const { recorder } of [node, other]) {
      await recorder.nth('decided', 2);
      expect(recorder.decisionsOf(callbackId)).toMatchObject([{ decision: { outcome: 'answered', proceed: true } }]);
    }
    expect((await untilAvailable(() => answer(node, callbackId))).status).toBe('repeated');
    expect((await untilAvailable(() => other.engine.confirmations.get(expiring)))?.state).toBe('timed_out');
  });
});
