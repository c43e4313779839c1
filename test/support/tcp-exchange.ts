/** Bytes written to a port, and what comes back, for requests that no HTTP client would send. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class TcpExchange {
  text = '';
  private readonly ended: Promise<unknown>;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (chunk: string) => (this.text += chunk));
    socket.on('error', () => undefined); // a reset is an end
    this.ended = once(socket, 'close');
  }

  static async open(port: number): Promise<TcpExchange> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new TcpExchange(socket);
  }

  write(bytes: string): this {
    this.socket.write(bytes, 'latin1');
    return this;
  }

  /** Everything that came until the connection was closed. */
  async closed(): Promise<string> {
    await this.ended;
    return this.text;
  }

  /** Everything that came once it has the pattern. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) {
      if (this.socket.destroyed) throw new Error(`closed before ${String(pattern)} came: ${this.text}`);
      await Promise.race([once(this.socket, 'data'), this.ended]);
    }
    return this.text;
  }
}
