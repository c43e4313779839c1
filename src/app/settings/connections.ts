/** Settings: what one connection, user or address may use. */
import { seconds, whole, type Table } from './kinds.js';

export const connections = {
  WEBSOCKET_MAX_CONNECTIONS: {
    ...whole('a whole number from 1', 1),
    option: 'maxConnections',
    about:
      'Connections of this node; one more is closed with 1013. Connections without a token have a tenth as many places of their own.',
  },
  WEBSOCKET_MAX_CONNECTIONS_PER_USER: {
    ...whole('a whole number from 1', 1),
    option: 'maxConnectionsPerUser',
    about: 'Connections of one user over all nodes; the oldest is closed with 4509. `1` is one connection per user.',
  },
  WEBSOCKET_MAX_CONNECTIONS_PER_ADDRESS: {
    ...whole('a whole number; 0 for no limit', 0),
    option: 'maxConnectionsPerAddress',
    about: 'Connections from one address; `0`: no limit.',
  },
  WEBSOCKET_HANDSHAKE_RATE: {
    ...whole('handshakes a second from one address; 0 for no limit', 0),
    option: 'handshakeRate',
    about: 'Handshakes a second from one address, ten seconds’ worth at once; `0`: no limit.',
  },
  WEBSOCKET_MAX_SUBSCRIPTIONS: {
    ...whole('channels, from 1', 1),
    option: 'maxSubscriptions',
    about: 'Channels to which one connection may be subscribed.',
  },
  WEBSOCKET_MAX_PAYLOAD: {
    ...whole('bytes, from 1024', 1024),
    option: 'maxPayload',
    about: 'Bytes of one frame from a client. An answer (`confirm`) may have 192 KiB more.',
  },
  WEBSOCKET_MAX_OUTBOX: {
    ...whole('bytes, from 1024', 1024),
    option: 'maxOutbox',
    about: 'Bytes that may wait in one connection’s send queue.',
  },
  WEBSOCKET_RATE_LIMIT: {
    ...whole('frames and REST calls a second of one identity, from 1', 1),
    option: 'rateLimit',
    about:
      'Frames and REST calls a second of one user, API key or, without either, address; on each node, with workers on each worker.',
  },
  WEBSOCKET_RATE_BURST: {
    ...whole('frames and REST calls at once, from 1', 1),
    option: 'rateBurst',
    about: 'Frames and REST calls at once, before the rate counts.',
  },
  WEBSOCKET_PING_INTERVAL: {
    ...seconds(),
    option: 'pingIntervalMs',
    about: 'Seconds between two pings of the protocol to one connection.',
  },
  WEBSOCKET_PING_TIMEOUT: {
    ...seconds(),
    option: 'pingTimeoutMs',
    about: 'Seconds for which a pong may be missing before the connection is closed.',
  },
  WEBSOCKET_DRAIN_TIMEOUT: {
    ...seconds(0, 86_400),
    option: 'drainTimeoutMs',
    about: 'Seconds over which a stopping node closes its connections.',
  },
} as const satisfies Table;
