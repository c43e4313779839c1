/** One Redis server: a connection for commands, one for pub/sub, and one for writes that wait for replicas. */
import { createClient } from 'redis';
import { CLIENT_SETTINGS, PINGED, SOCKET_SETTINGS, type ClientEvents, type RedisClient, type Send } from './redis-client.js';

export function singleClient(url: string, waits: boolean, { onReady, onError }: ClientEvents): RedisClient {
  const commands = connectionTo(url);
  const subscriber = connectionTo(url);
  const writer = waits ? connectionTo(url, PINGED) : commands;
  const connections = new Set([commands, subscriber, writer]);
  for (const connection of connections) connection.on('error', onError);
  subscriber.on('ready', onReady);
  const write: Send = (command) => writer.sendCommand(command);
  return {
    connect: () => Promise.all([...connections].map((connection) => connection.connect())),
    send: (_key, command) => commands.sendCommand(command),
    write: (_key, command) => write(command),
    writer: () => ({ master: url, send: write }),
    subscribe: (channels, listener) => subscriber.sSubscribe(channels, listener),
    unsubscribe: (channel, listener) => subscriber.sUnsubscribe(channel, listener),
    askAll: async (command) => [await commands.sendCommand(command)],
    destroy: () => {
      for (const connection of connections) connection.destroy();
    },
  };
}

function connectionTo(url: string, pinged: Partial<typeof PINGED> = {}) {
  return createClient({ ...CLIENT_SETTINGS, ...pinged, url, socket: { ...SOCKET_SETTINGS } });
}
