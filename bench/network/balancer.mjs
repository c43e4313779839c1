/** Forwards TCP to the node with the fewest connections, else to another. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Balancer {
  constructor(ports) {
    this.counts = new Map(ports.map((port) => [port, 0]));
    this.sockets = new Set();
  }

  /** @returns the port */
  async listen() {
    this.server = createServer((client) => {
      client.setNoDelay(true);
      client.on('error', () => undefined);
      this.sockets.add(client);
      client.once('close', () => this.sockets.delete(client));
      this.#forward(
        client,
        [...this.counts.keys()].sort((a, b) => this.counts.get(a) - this.counts.get(b)),
      );
    }).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this.server.address().port;
  }

  #forward(client, [port, ...others]) {
    if (port === undefined) return client.destroy();
    const upstream = connect(port, '127.0.0.1');
    let connected = false;
    this.counts.set(port, this.counts.get(port) + 1);
    upstream.setNoDelay(true);
    upstream.on('error', () => undefined);
    upstream.once('connect', () => {
      connected = true;
      client.pipe(upstream).pipe(client);
    });
    upstream.once('close', () => {
      this.counts.set(port, this.counts.get(port) - 1);
      if (connected || client.destroyed) client.destroy();
      else this.#forward(client, others);
    });
    client.once('close', () => upstream.destroy());
  }

  close() {
    this.server?.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
