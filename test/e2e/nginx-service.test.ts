/** The real nginx on deploy/nginx.conf in front of three real nodes. */
import { TestClient } from '../support/client.js';
import { startNginx, type Nginx } from '../support/nginx.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';

const describeWithNginx = requireBinary('nginx');

describeWithNginx('three nodes behind nginx', () => {
  let nodes: TestService[];
  let nginx: Nginx;
  beforeAll(async () => {
    nodes = await Promise.all([startService(), startService(), startService()]);
    nginx = await startNginx({ upstreams: nodes.map(({ port }) => `127.0.0.1:${port}`) });
  });
  afterAll(async () => {
    await nginx.stop();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  it.each(['/ws', '/ws/', '/'])('are reached at %s, all of them, and answer through it', async (path) => {
    const clients: TestClient[] = [];
    for (let count = 0; count < 6; count += 1) clients.push(await TestClient.connect(nginx.url.replace('http', 'ws') + path));
    for (const client of clients) await client.settled();
    for (const node of nodes) expect(node.notifications.getConnectionCount()).toBeGreaterThan(0);
    for (const client of clients) await client.close();
  });

  it('ask a user through it, and close with 1012 through it when a node drains', async () => {
    const client = await TestClient.connect(`${nginx.url.replace('http', 'ws')}/ws`);
    await client.request({ action: 'subscribe', user_id: 'ann' });
    const presences = await Promise.all(nodes.map(({ notifications }) => notifications.presence('ann')));
    const node = nodes[presences.findIndex(({ connections }) => connections === 1)];
    const asked = node?.notifications.notifyUser({ message: '?' }, 'ann', 'task', 1);
    const { callback_id } = await client.next('task_step_result');
    await client.request({ action: 'confirm', callback_id, proceed: true });
    expect(await asked).toMatchObject({ proceed: true, answeredBy: 'ann' });
    await node?.notifications.stopServer();
    expect(await client.closed()).toEqual({ code: 1012, reason: 'service restart' });
    const back = await TestClient.connect(`${nginx.url.replace('http', 'ws')}/ws`);
    await back.settled();
    await back.close();
    await node?.notifications.startServer();
  });

  it('answer REST through it, errors included', async () => {
    expect((await fetch(`${nginx.url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${nginx.url}/ws/status`)).status).toBe(200);
    const refused = await fetch(`${nginx.url}/ws/broadcast`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect([refused.status, await refused.json()]).toMatchObject([400, { code: 'INVALID_MESSAGE' }]);
  });
});
