/** Two nodes of a contestant on a Redis of their own: calls begin on one node, all clients are on the other. */
import { Redis } from './redis.mjs';
import { Stand } from './stand.mjs';

export class TwoNodes {
  constructor(key) {
    this.key = key;
  }

  async start() {
    this.redis = await new Redis().start();
    const env = { WEBSOCKET_REDIS_URL: this.redis.url, REDIS_URL: this.redis.url };
    this.sender = new Stand(this.key, env);
    this.receiver = new Stand(this.key, env);
    await this.sender.start();
    await this.receiver.start();
    return this;
  }

  connect(count) {
    return this.receiver.connect(count);
  }

  get connections() {
    return this.receiver.connections;
  }

  get users() {
    return this.receiver.users;
  }

  /** Where calls begin. */
  get server() {
    return this.sender.server;
  }

  get clients() {
    return this.receiver.clients;
  }

  /** @returns the processor time of each part so far, in microseconds */
  async cpu() {
    const [sender, receiver] = await Promise.all([this.sender.cpu(), this.receiver.cpu()]);
    const redis = this.redis.cpu();
    return { sender: sender.total, receiver: receiver.total, Redis: redis, sum: sender.total + receiver.total + redis };
  }

  async close() {
    await Promise.all([this.sender?.close(), this.receiver?.close()]);
    await this.redis?.stop();
  }
}
