/** One node with the embedded engine that is stopped and continued (SIGSTOP), or whose wall clock jumps, over one deadline. */
import { setTimeout as delay } from 'node:timers/promises';
import { IN_TIME_MS } from '../../src/notification/engine/deadlines.js';
import { TestClient } from '../support/client.js';
import { StallableNode } from '../support/stallable-node.js';

type Body = Record<string, unknown>;

describe('a node over a deadline', () => {
  let node: StallableNode;
  let ann: TestClient;
  beforeAll(async () => {
    // `proceed` is the setting's default in every node of this kind.
    node = await StallableNode.start({ WEBSOCKET_ENGINE: 'embedded' });
    ann = await TestClient.connect(node.wsUrl);
    await ann.request({ action: 'subscribe', user_id: 'ann' });
  });
  afterAll(async () => {
    ann.socket.terminate();
    await node.end();
  });

  const ask = async (timeout: number, rest: Body = {}): Promise<string> => {
    const response = await fetch(`${node.url}/ws/confirmations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: 'ann', task_id: 't', step: 1, step_result: { message: 'Deploy?' }, timeout, ...rest }),
    });
    const { callback_id } = (await response.json()) as Body;
    await ann.next({ type: 'task_step_result', callback_id });
    return String(callback_id);
  };
  const decisionOf = async (id: string): Promise<Body> =>
    (await (await fetch(`${node.url}/ws/confirmations/${id}?wait=20`)).json()) as Body;

  it('does not let a setting’s proceed count when it was stopped meanwhile: asleep is down', async () => {
    const [ofSetting, ofCaller] = [await ask(1), await ask(1, { on_timeout: 'proceed' })];
    await node.freeze(1000 + IN_TIME_MS + 500);
    expect(await decisionOf(ofSetting)).toMatchObject({ state: 'timed_out', proceed: false });
    expect(await decisionOf(ofCaller)).toMatchObject({ state: 'timed_out', proceed: true });
  });

  it('reads the answer that was in its socket when it is stopped and goes on', async () => {
    const id = await ask(2);
    node.child.kill('SIGSTOP');
    ann.send({ action: 'confirm', callback_id: id, proceed: false, request_id: id });
    await delay(3000);
    node.child.kill('SIGCONT');
    expect(await ann.next({ request_id: id })).toMatchObject({ type: 'confirmation_accepted' });
    expect(await decisionOf(id)).toMatchObject({ state: 'answered', proceed: false });
  });

  it.each([3600, -3600])('keeps the length of it when the wall clock jumps by %p s', async (seconds) => {
    const id = await ask(2, { on_timeout: 'abort' });
    const asked = performance.now();
    node.setClock(seconds);
    expect(await decisionOf(id)).toMatchObject({ state: 'timed_out', proceed: false });
    const passed = performance.now() - asked;
    expect(passed).toBeGreaterThan(1900);
    expect(passed).toBeLessThan(15_000);
    node.setClock(0);
  });
});
