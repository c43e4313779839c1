import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { checkNginx, startNginx, type Nginx } from '../support/nginx.js';
import { requireBinary } from '../support/system.js';

/** A node that tells which one it is, and what nginx sent it. */
interface Node {
  address: string;
  seen: { path: string; headers: IncomingHttpHeaders }[];
  /** Answers requests (not upgrades) with this. */
  status: number | 'break off';
  /** Refuses upgrades with this. */
  upgradeStatus?: number;
  requests: string[];
  stop(): Promise<void>;
}

async function startNode(name: string): Promise<Node> {
  const server: Server = createServer((request, response) => {
    node.requests.push(`${request.method} ${request.url}`);
    node.seen.push({ path: request.url ?? '', headers: request.headers });
    request.resume().once('end', () => {
      if (node.status === 'break off') request.socket.destroy();
      else response.writeHead(node.status, { 'X-Node': name }).end(name);
    });
  }).listen(0, '127.0.0.1');
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    node.seen.push({ path: request.url ?? '', headers: request.headers });
    if (node.upgradeStatus !== undefined) {
      socket.end(`HTTP/1.1 ${node.upgradeStatus} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.send(name);
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  });
  await once(server, 'listening');
  const node: Node = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    requests: [],
    status: 200,
    async stop() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return node;
}

const describeWithNginx = requireBinary('nginx');

describeWithNginx('deploy/nginx.conf', () => {
  let nodes: Node[];
  let nginx: Nginx;
  const clients: WebSocket[] = [];

  async function connect(path: string): Promise<{ client: WebSocket; greeting: string }> {
    const client = new WebSocket(nginx.url.replace('http', 'ws') + path);
    clients.push(client);
    const [data] = (await once(client, 'message')) as [Buffer];
    return { client, greeting: data.toString() };
  }

  const seenBy = (path: string): IncomingHttpHeaders[] =>
    nodes.flatMap(({ seen }) => seen.filter((request) => request.path === path).map(({ headers }) => headers));

  beforeEach(async () => {
    nodes = await Promise.all(['one', 'two', 'three'].map(startNode));
    nginx = await startNginx({ upstreams: nodes.map(({ address }) => address) });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.terminate();
    await nginx.stop();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  it('is accepted by nginx -t, without a warning', async () => {
    const said = await checkNginx(['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']);
    expect(said).toContain('test is successful');
    expect(said).not.toMatch(/warn/);
  });

  it.each(['/ws', '/ws/', '/', '/ws?client=1'])('forwards the upgrade of %s with the headers that a node needs', async (path) => {
    const { client } = await connect(path);
    const [headers] = seenBy(path);
    const host = new URL(nginx.url).host;
    expect(headers).toMatchObject({
      upgrade: 'websocket',
      connection: 'upgrade',
      host,
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': host,
    });
    client.send('over the proxy and back');
    const [data] = (await once(client, 'message')) as [Buffer];
    expect(data.toString()).toBe('over the proxy and back');
  });

  it('sets the client’s address, whatever the client says about itself', async () => {
    const claims = { 'x-forwarded-for': '192.0.2.1, 10.0.0.1', 'x-real-ip': '192.0.2.1', 'x-forwarded-proto': 'https' };
    await fetch(`${nginx.url}/ws/status`, { headers: claims });
    expect(seenBy('/ws/status')).toEqual([
      expect.objectContaining({ 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1', 'x-forwarded-proto': 'http' }),
    ]);
  });

  it('spreads connections over all nodes', async () => {
    const greetings = await Promise.all(Array.from({ length: 9 }, () => connect('/ws')));
    expect(new Set(greetings.map(({ greeting }) => greeting))).toEqual(new Set(['one', 'two', 'three']));
  });

  it('spreads requests over all nodes and keeps the path as it is', async () => {
    const paths = ['/ws/status', '/ws/users/a%2Fb?limit=1', '/health/ready', '/docs', '/metrics', '/ws/tasks/t'];
    for (const path of paths) expect((await fetch(nginx.url + path)).status).toBe(200);
    expect(nodes.flatMap(({ requests }) => requests).sort()).toEqual(paths.map((path) => `GET ${path}`).sort());
    expect(nodes.every(({ requests }) => requests.length > 0)).toBe(true);
  });

  it('asks for no upgrade where the client did not', async () => {
    await fetch(`${nginx.url}/ws/status`);
    const [headers] = seenBy('/ws/status');
    expect(headers).not.toHaveProperty('upgrade');
    expect(headers).not.toHaveProperty('connection');
  });

  it('goes round a node that is gone', async () => {
    await nodes[0]!.stop();
    const answers = await Promise.all(Array.from({ length: 12 }, () => fetch(`${nginx.url}/ws/status`)));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    const { greeting } = await connect('/ws');
    expect(['two', 'three']).toContain(greeting);
    nodes[0] = await startNode('one'); // so that there is something to stop
  });

  it('takes a connection to another node when one is draining', async () => {
    nodes[0]!.upgradeStatus = 503;
    nodes[1]!.upgradeStatus = 503;
    expect((await connect('/ws')).greeting).toBe('three');
  });

  it('takes connections to a node again the moment it takes them, as many as the others have', async () => {
    nodes[0]!.upgradeStatus = 503;
    for (let count = 0; count < 8; count += 1) expect((await connect('/ws')).greeting).not.toBe('one');
    delete nodes[0]!.upgradeStatus;
    const greetings = [];
    for (let count = 0; count < 4; count += 1) greetings.push((await connect('/ws')).greeting);
    expect(greetings).toEqual(Array(4).fill('one'));
  });

  it('passes a refused handshake on as it is', async () => {
    for (const node of nodes) node.upgradeStatus = 401;
    const client = new WebSocket(`${nginx.url.replace('http', 'ws')}/ws`);
    client.on('error', () => undefined);
    const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(401);
    client.terminate();
  });

  it('repeats a GET that broke off on another node, and never a POST', async () => {
    nodes[0]!.status = nodes[1]!.status = 'break off';
    expect((await fetch(`${nginx.url}/ws/status`)).headers.get('x-node')).toBe('three');
    await nginx.stop();
    nginx = await startNginx({ upstreams: nodes.map(({ address }) => address) }); // forgets who failed
    for (const node of nodes) node.status = 'break off';
    for (const node of nodes) node.requests.length = 0;
    const answer = await fetch(`${nginx.url}/ws/confirmations`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(502);
    expect(nodes.flatMap(({ requests }) => requests)).toEqual(['POST /ws/confirmations']);
  });

  it('writes no query string into its access log', async () => {
    await fetch(`${nginx.url}/ws/status?token=secret`);
    const { accessLog } = await nginx.stop();
    expect(accessLog).toContain('GET /ws/status 200');
    expect(accessLog).not.toContain('secret');
  });
});
