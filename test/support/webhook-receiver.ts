/**
 * What a worker that neither waits nor polls has: an HTTP server that takes webhooks. The reference library of Standard
 * Webhooks, which shares no line with the service, verifies them.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export const SECRET = `whsec_${Buffer.from('a secret for tests, 32 bytes long').toString('base64')}`;

export interface Delivery {
  id: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** The body, verified. */
  event: { type: string; timestamp: string; data: Record<string, unknown> };
}

/** How a delivery is answered; without a word it hangs. */
export type Answering = (delivery: Delivery, response: ServerResponse) => void;

export const taken: Answering = (_delivery, response) => response.writeHead(204).end();
export const hanging: Answering = () => undefined;
export const failing =
  (status: number, headers: Record<string, string> = {}): Answering =>
  (_delivery, response) =>
    response.writeHead(status, headers).end('no');

export class WebhookReceiver {
  readonly deliveries: Delivery[] = [];
  /** Requests whose signature did not hold. */
  readonly forged: unknown[] = [];
  answering: Answering = taken;
  private watchers: (() => void)[] = [];
  private readonly webhook: Webhook;
  private server: Server | undefined;

  private constructor(
    secret: string,
    private port: number,
  ) {
    this.webhook = new Webhook(secret);
  }

  /** @param port of one that was stopped, to come back there */
  static async start({ secret = SECRET, port = 0 } = {}): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(secret, port);
    await receiver.listen();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** The `count`-th delivery that fits, as soon as it is there. */
  async nth(count: number, fits: (delivery: Delivery) => boolean = () => true): Promise<Delivery> {
    for (;;) {
      const found = this.deliveries.filter(fits)[count - 1];
      if (found) return found;
      if (this.forged.length > 0) throw new Error(`a signature does not hold: ${String(this.forged[0])}`);
      await new Promise<void>((resolve) => this.watchers.push(resolve));
    }
  }

  of(type: string): Promise<Delivery> {
    return this.nth(1, ({ event }) => event.type === type);
  }

  /** As if its machine were gone; `listen` brings it back, on the same port. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (!server) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  async listen(): Promise<void> {
    this.server = createServer((request, response) => void this.take(request, response)).listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { headers } = request;
    try {
      const event = this.webhook.verify(body, headers as Record<string, string>) as Delivery['event'];
      const delivery = { id: String(headers['webhook-id']), path: request.url ?? '', headers, body, event };
      this.deliveries.push(delivery);
      this.answering(delivery, response);
    } catch (error) {
      this.forged.push(error);
      response.writeHead(401).end();
    }
    for (const wake of this.watchers.splice(0)) wake();
  }
}
