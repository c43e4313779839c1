/** A TCP proxy that cuts what it forwards, and refuses for a while after that. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Cutter {
  sockets = new Set();

  constructor(target) {
    this.target = target;
  }

  async listen() {
    this.server = createServer((client) => {
      const upstream = connect(this.target, '127.0.0.1');
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ]) {
        one.setNoDelay(true);
        this.sockets.add(one);
        one.on('error', () => undefined);
        one.once('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    }).listen(this.port ?? 0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
  }

  cut() {
    this.server.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
  }
}
