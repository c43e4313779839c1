/** A Redis Cluster: per master a connection for commands, one for pub/sub, and one for writes that wait for replicas. */
import { createCluster } from 'redis';
import { slotOf } from '../partitions.js';
import { CLIENT_SETTINGS, PINGED, SOCKET_SETTINGS, type ClientEvents, type RedisClient } from './redis-client.js';

export function clusterClient(urls: string[], waits: boolean, { onReady, onError }: ClientEvents): RedisClient {
  const cluster = connectionsTo(urls);
  const writer = waits ? connectionsTo(urls, PINGED) : cluster;
  const clusters = new Set([cluster, writer]);
  for (const each of clusters) each.on('error', onError).on('node-error', onError);
  cluster.on('node-ready', onReady);
  return {
    connect: () => Promise.all([...clusters].map((each) => each.connect())),
    send: (key, command) => cluster.sendCommand(key, false, command),
    write: (key, command) => writer.sendCommand(key, false, command),
    writer: (key) => {
      const master = writer.slots[slotOf(key)]?.master;
      if (!master) throw new Error(`the Redis Cluster serves no slot for ${key}`);
      return { master: master.address, send: async (command) => (await writer.nodeClient(master)).sendCommand(command) };
    },
    subscribe: (channels, listener) => cluster.sSubscribe(channels, listener),
    unsubscribe: (channel, listener) => cluster.sUnsubscribe(channel, listener),
    askAll: (command) =>
      Promise.all(
        cluster.masters.map(async (master): Promise<unknown> => (await cluster.nodeClient(master)).sendCommand(command)),
      ),
    destroy: () => {
      for (const each of clusters) each.destroy();
    },
  };
}

function connectionsTo(urls: string[], pinged: Partial<typeof PINGED> = {}) {
  return createCluster({
    rootNodes: urls.map((url) => ({ url })),
    defaults: { ...CLIENT_SETTINGS, ...pinged, socket: { ...SOCKET_SETTINGS } },
    commandOptions: CLIENT_SETTINGS.commandOptions,
    RESP: CLIENT_SETTINGS.RESP,
  });
}
