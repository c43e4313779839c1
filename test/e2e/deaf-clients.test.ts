/** Clients that send whatever they like and never read: what the server holds for them is bounded, per connection. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import type { Connection } from '../../src/notification/connection/connection.js';
import { Hub } from '../../src/notification/connection/hub.js';
import { Engine, PAGE_BYTES } from '../../src/notification/engine/engine.js';
import { SubscriptionIndex } from '../../src/notification/subscription/subscription-index.js';
import { RawClient } from '../support/raw-client.js';
import { startService, type TestService } from '../support/service.js';

const MAX_OUTBOX = 65_536;
/** One reply may meet an almost empty queue, however long it is: here a page of prompts. */
const BOUND = 2 * MAX_OUTBOX + 2 * PAGE_BYTES;
const USER = 'ann';

let service: TestService;
let engine: Engine;
const sockets: Socket[] = [];
const clients: RawClient[] = [];
beforeAll(async () => {
  service = await startService({
    environment: { WEBSOCKET_MAX_OUTBOX: String(MAX_OUTBOX), WEBSOCKET_MAX_CONNECTIONS_PER_USER: '1000' },
  });
  engine = service.app.get<Engine>(Engine);
  (service.app.getHttpServer() as Server).on('connection', (socket) => sockets.push(socket));
  const stepResult = { message: 'Go on?', result: 'x'.repeat(4000) };
  for (let step = 1; step <= 60; step += 1)
    await service.notifications.openConfirmation({ stepResult, userId: USER, taskId: 'deploy', step });
  for (let n = 1; n <= 100; n += 1)
    for (const channel of [`user:${USER}`, 'news'])
      await service.notifications.publish(channel, { type: 'note', n, pad: 'x'.repeat(2000) });
});
afterEach(async () => {
  for (const client of clients.splice(0)) if (!client.isClosed) await client.reset();
});
afterAll(() => service.stop());

interface Deaf {
  client: RawClient;
  connection: Connection;
  /** The server's end. */
  socket: Socket;
}

/** A connection whose socket takes nothing more. */
async function connectDeaf(): Promise<Deaf> {
  const hub = service.app.get(Hub);
  const known = new Set(hub.connections);
  const client = await RawClient.connect({ port: service.port });
  clients.push(client);
  const connection = [...hub.connections].find((each) => !known.has(each));
  const socket = sockets.find(({ remotePort }) => remotePort === client.socket.localPort);
  if (!connection || !socket) throw new Error('the connection is not there');
  // As if the kernel's buffers were full already.
  socket.cork();
  return { client, connection, socket };
}

/** Everything that can be done for them has been done. */
async function settled(deaf: readonly Deaf[]): Promise<void> {
  const state = (): string => deaf.map(({ connection: { replies, waitingBytes } }) => `${replies} ${waitingBytes}`).join();
  let last = '';
  for (let same = 0; same < 20; same += 1) {
    await engine.ping();
    if (state() === last) continue;
    last = state();
    same = 0;
  }
}

const held = ({ connection, socket }: Deaf): number => Math.max(connection.waitingBytes, socket.writableLength);
const mostSources = ({ connection }: Deaf): number => service.app.get(SubscriptionIndex).of(connection).size + 1;

it('gives a client that repeats subscribe one redelivery and one recovery of each channel, and reads pages when they are needed', async () => {
  const epoch = (await engine.broker.position('news')).epoch;
  let reads = 0;
  const { confirmations, broker } = engine;
  const { list } = confirmations;
  const { history } = broker;
  confirmations.list = (query) => ((reads += 1), list.call(confirmations, query));
  broker.history = (request) => ((reads += 1), history.call(broker, request));
  try {
    const deaf = await Promise.all(Array.from({ length: 12 }, connectDeaf));
    const recover = { epoch, offset: 0 };
    for (let round = 0; round < 150; round += 1)
      for (const { client } of deaf)
        client.send({ action: 'subscribe', channels: [`user:${USER}`, 'news'].map((channel) => ({ channel, recover })) });
    await settled(deaf);
    for (const each of deaf) {
      expect(held(each)).toBeLessThan(BOUND);
      expect(each.connection.waitingSources).toBeLessThanOrEqual(mostSources(each));
      expect(each.connection.replies).toBeGreaterThan(1);
    }
    // Some pages, until as much waits as is read ahead. A page whose reading is replaced is read in vain. Not two for each of
    // the 150 frames.
    expect(reads).toBeLessThanOrEqual(12 * 40);
  } finally {
    Object.assign(confirmations, { list });
    Object.assign(broker, { history });
  }
}, 60_000);

it('bounds what is held for a client that does not read, for any frames that it sends', async () => {
  const epoch = (await engine.broker.position('news')).epoch;
  const position = fc.record({ epoch: fc.constantFrom(epoch, 'another'), offset: fc.integer({ min: 0, max: 120 }) });
  const channel = fc.constantFrom(`user:${USER}`, 'user:bob', 'task:deploy', 'news', 'broadcast', 'more');
  const recover = fc.option(position, { nil: undefined });
  const channels = fc.uniqueArray(fc.record({ channel, recover }), {
    minLength: 1,
    maxLength: 4,
    selector: (one) => one.channel,
  });
  const frame = fc.oneof(
    fc.record({ action: fc.constant('ping'), pad: fc.string({ maxLength: 3000 }) }),
    fc.record({ action: fc.constant('subscribe'), channel, recover }),
    fc.record({ action: fc.constant('subscribe'), channels }),
    fc.record({ action: fc.constant('subscribe'), user_id: fc.constantFrom(USER, 'bob'), task_id: fc.constant('deploy') }),
    fc.record({ action: fc.constant('unsubscribe'), channel }),
    fc.record({ action: fc.constant('pending'), limit: fc.constantFrom(1, 100, 1000) }),
    fc.record({ action: fc.constantFrom('confirm', 'ack', 'dance'), callback_id: fc.string() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 20, maxLength: 100 }), async (frames) => {
      const deaf = await connectDeaf();
      for (let round = 0; round < 3; round += 1) for (const one of frames) deaf.client.sendUnchecked(one);
      await settled([deaf]);
      expect(held(deaf)).toBeLessThan(BOUND);
      expect(deaf.connection.waitingSources).toBeLessThanOrEqual(mostSources(deaf));
      await deaf.client.reset();
    }),
    { numRuns: 12 },
  );
}, 60_000);
