/** Settings: where the service listens, and what it logs. */
import { PUBLIC_URL } from '../../notification/service-door.js';
import { logLevels, onOff, seconds, text, whole, type Table } from './kinds.js';

export const listening = {
  WEBSOCKET_HOST: {
    ...text('an address or name to listen on; without, 127.0.0.1 in open mode by default, else 0.0.0.0'),
    about:
      'The address on which REST and WebSocket listen. Without it: `127.0.0.1`, this machine only, while `WEBSOCKET_AUTH` is not set; otherwise `0.0.0.0`, every address.',
  },
  WEBSOCKET_PORT: {
    ...whole('a port, 0 to 65535', 0, 65_535),
    option: 'port',
    about: 'The port of REST and WebSocket; `0` is any free one. Without it, `PORT` counts.',
  },
  WEBSOCKET_KEEP_ALIVE: {
    ...seconds(),
    default: '65',
    about: 'Seconds for which an idle HTTP connection is kept. Make it longer than the load balancer’s.',
  },
  WEBSOCKET_PUBLIC_URL: {
    ...text('an http(s) URL without credentials, query and fragment', PUBLIC_URL),
    option: 'publicUrl',
    about: 'Where people reach the service, for links to it.',
  },
  WEBSOCKET_WORKERS: {
    ...whole('a number of processes; more than 1 need the redis engine', 1, 1024),
    default: '1',
    about:
      'Processes that share the port and count as one node: limit of connections, status, health, metrics. More than one need the Redis engine.',
  },
  WEBSOCKET_COMPRESSION: { ...onOff(), option: 'compression', about: 'Whether permessage-deflate is negotiated.' },
  WEBSOCKET_DOCS: {
    ...onOff('on or off; without, on in open mode'),
    about: 'Whether the API’s description is served at `/docs`, to everybody. Without it: `on` in open mode.',
  },
  WEBSOCKET_CONSOLE: {
    ...onOff(),
    default: 'on',
    about: 'Whether `/` is a web page on which people answer. It holds no data; in secure mode it asks for the user’s token.',
  },
} as const satisfies Table;

export const logs = {
  WEBSOCKET_LOG_LEVEL: {
    ...logLevels(),
    default: 'info',
    about: 'The lowest level that is logged. Single loggers may differ: `info,Audit=warn`.',
  },
  WEBSOCKET_LOG_FILE: {
    ...text('a file'),
    about: 'A file that gets the log as lines of JSON, beside standard output. It may be moved away while the service runs.',
  },
  WEBSOCKET_AUDIT_FILE: {
    ...text('a file; without, the audit trail goes to the log'),
    about: 'A file for the audit trail: one JSON line for each prompt, decision, cancellation and refusal. Without it: the log.',
  },
} as const satisfies Table;
