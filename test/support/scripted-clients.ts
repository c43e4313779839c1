/** Clients against a scripted server, which is new for each test of the `describe` that calls this. */
import { WebSocket } from 'ws';
import { connect, type ClientOptions } from '../../src/client/index.js';
import type { NotificationClient, OpenConfirmation, SocketConstructor } from '../../src/client/index.js';
import { ScriptedServer } from './scripted-server.js';

export class ScriptedClients {
  /** What the clients of this test have reported. */
  readonly errors: unknown[] = [];
  private readonly clients: NotificationClient[] = [];
  private current: ScriptedServer | undefined;

  constructor() {
    beforeEach(async () => {
      this.errors.length = 0;
      this.current = await ScriptedServer.start();
    });
    afterEach(async () => {
      for (const client of this.clients.splice(0)) client.close();
      await this.server.stop();
    });
  }

  get server(): ScriptedServer {
    if (!this.current) throw new Error('the server is started before each test');
    return this.current;
  }

  open(options: ClientOptions = { userId: 'ann' }): NotificationClient {
    const client = connect(this.server.url, {
      WebSocket: WebSocket as unknown as SocketConstructor,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.clients.push(client);
    return client;
  }
}

/** The list of open confirmations, once it has this many. */
export async function listed(client: NotificationClient, count: number): Promise<readonly OpenConfirmation[]> {
  for await (const list of client.confirmations) if (list.length === count) return list;
  throw new Error('the list ended');
}

/** Once the client has handled all that was sent before. */
export async function caughtUp(client: NotificationClient, connection: { send(frame: object): void }): Promise<void> {
  const caught = new Promise<void>((resolve) => {
    const stop = client.on('caught-up', () => {
      stop();
      resolve();
    });
  });
  connection.send({ type: 'caught-up' });
  await caught;
}
