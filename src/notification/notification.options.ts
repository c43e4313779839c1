/**
 * The module's options: optional and documented outside, resolved and complete inside.
 * A wrong one stops the start with one line that names it (`ConfigurationError`).
 */
import { z } from 'zod';
import type { OnTimeout } from '../protocol/confirmation.js';
import { WEBHOOK_EVENTS } from '../protocol/webhook-events.js';
import type { AccessPolicy } from './access/access-policy.js';
import type { AuditEntry } from './access/audit-entry.js';
import type { Authenticator } from './access/authenticator.js';
import type { WorkerGroup } from './access/worker-group.js';
import { ConfigurationError } from './notification.errors.js';
import { WEBHOOK_SECRET, type ResolvedWebhook, type WebhookOptions } from './webhook/webhook-options.js';

/** Without braces, which mark the part of a key that Redis Cluster hashes. */
export const REDIS_PREFIX = /^[\w.:/@-]{1,64}$/;

/** The address of a Redis server, with the number of a database at most. */
export const REDIS_URL = z
  .url({ protocol: /^rediss?$/ })
  .refine(
    (url) => URL.canParse(url) && /^(\/\d{0,9})?$/.test(new URL(url).pathname),
    'must end with the number of a database, if anything',
  )
  .refine(hasReadableCredentials, 'must have %25 for each % of its name and password');

/** An address to which a path and a query can be added. */
export const PUBLIC_URL = z
  .url({ protocol: /^https?$/ })
  .refine((text) => {
    if (!URL.canParse(text)) return false;
    const { username, password, search, hash } = new URL(text);
    return [username, password, search, hash].every((part) => part === '');
  }, 'must be an http(s) URL without credentials, query and fragment')
  .transform((text) => {
    const { origin, pathname } = new URL(text);
    return (origin + pathname).replace(/\/+$/, '');
  });

/** Options of `NotificationModule.forRoot()`. Durations are milliseconds, sizes bytes. */
export interface NotificationOptions {
  /** Where the WebSocket endpoint is. A trailing slash is the same. @default ['/ws'] */
  paths?: string[];
  /** Where state lives: on this node's disk, or in Redis, for any number of nodes. @default 'embedded' */
  engine?: 'embedded' | 'redis';
  /** The Redis engine's server, `redis://` or `rediss://`; several are nodes of a Redis Cluster. Required by it. */
  redisUrls?: string[];
  /**
   * Begins every key and every pub/sub channel in Redis: 1 to 64 letters, digits, `.`, `_`, `-`, `:`, `/`, `@`. Deployments that
   * differ in it, or in the database of their URL, share nothing. @default 'ws'
   */
  redisPrefix?: string;
  /** Whether a Redis without persistence, or with an evicting policy, will do. @default false */
  redisAcceptLoss?: boolean;
  /** How many replicas must have a change before it counts; fewer: `UNAVAILABLE`. @default 0 */
  redisWaitReplicas?: number;
  /** Where the embedded engine keeps its data; `:memory:` keeps nothing. @default './data' */
  dataDir?: string;
  /** Connections this node takes. @default 1000 */
  maxConnections?: number;
  /** Connections one user may have, over all nodes; the oldest is closed. @default 20 */
  maxConnectionsPerUser?: number;
  /** Confirmations of one user that may be pending; asking for one more is refused with `STORE_FULL`. @default 100 000 */
  maxPendingPerUser?: number;
  /** Between protocol-level pings. @default 30 000 */
  pingIntervalMs?: number;
  /** How long a pong may take. @default 10 000 */
  pingTimeoutMs?: number;
  /** How long a prompt waits when the call does not say. @default 300 000 */
  callbackTimeoutMs?: number;
  /** What a deadline decides when the call does not say. @default 'proceed' */
  timeoutDecision?: OnTimeout;
  /** Largest frame a client may send, in bytes; an answer (`confirm`) may have 192 KiB more. @default 65 536 */
  maxPayload?: number;
  /** What may wait to be sent to one connection. @default 1 048 576 */
  maxOutbox?: number;
  /** Frames of one connection that may be queued before its socket is not read any more. @default 64 */
  maxFramesInWork?: number;
  /** Frames and REST calls per second of one identity: user, API key, else address. @default 200 */
  rateLimit?: number;
  /** Frames and REST calls of one identity at once before `rateLimit` counts. @default 10 000 */
  rateBurst?: number;
  /** Channels a connection may be subscribed to. @default 1000 */
  maxSubscriptions?: number;
  /** Over how long a stopping node sends its clients away. @default 10 000 */
  drainTimeoutMs?: number;
  /** How long decisions, cancellations and unacknowledged messages are kept. @default 86 400 000 */
  retentionMs?: number;
  /** Messages a channel's history keeps. @default 1000 */
  historySize?: number;
  /** How long they stay there. @default 300 000 */
  historyTtlMs?: number;
  /** Negotiate permessage-deflate with clients that offer it. @default true */
  compression?: boolean;
  /** Secure mode: checks tokens. Absent: open mode. */
  authenticator?: Authenticator;
  /** Secure mode: keys with which services call the REST routes. With keys and no authenticator only REST is guarded. @default [] */
  apiKeys?: string[];
  /** Secure mode: the application's own rules. */
  accessPolicy?: AccessPolicy;
  /** Secure mode: how often a connection's rights are asked again; a jitter shortens it by up to a quarter. At most 300 000. @default 240 000 */
  accessReviewMs?: number;
  /**
   * Origins of web pages that may use the service, `scheme://host[:port]`, `null` or `file://`; `*` is any. Without,
   * only the service's own page, and in open mode pages of this machine. @default []
   */
  allowedOrigins?: string[];
  /** Open mode: names, `host[:port]`, under which the service may be called, beside loopback names and IP addresses. @default [] */
  allowedHosts?: string[];
  /** Further subprotocols that are selected for a client that offers no `notification.v1`. Not `bearer.…`. @default [] */
  subprotocols?: string[];
  /** Whether a token may stand in the query string (`?token=`), where logs may keep it. @default false */
  tokenInQuery?: boolean;
  /** Proxies whose `X-Forwarded-For` counts: addresses, subnets, `loopback`, `linklocal`, `uniquelocal`. @default [] */
  trustProxy?: string[];
  /** Connections from one address; 0: no limit. @default 0 */
  maxConnectionsPerAddress?: number;
  /** Handshakes a second from one address, ten seconds' worth at once; 0: no limit. @default 0 */
  handshakeRate?: number;
  /** Failed authentications a minute from one address; further ones get 429, a valid token or key never does. @default 30 */
  authenticationFailures?: number;
  /** Takes the audit trail. @default written to the log at level `info`, context `Audit` */
  audit?: (entry: AuditEntry) => void;
  /** Sends what happens to prompts and tasks by HTTP. Set it alike on all nodes. @default none */
  webhook?: WebhookOptions;
  /** Where people reach the service, `http://` or `https://`, for links to it. @default none */
  publicUrl?: string;
  /** Required for open mode under `NODE_ENV=production`. @default false */
  allowOpenMode?: boolean;
  /** Secure mode: how long a connection may take to authenticate. @default 3000 */
  authenticationTimeoutMs?: number;
  /** How long one call of the engine may take. @default 2000 */
  engineTimeoutMs?: number;
  /** Counts connections over the processes that share this one's port. @default this process is the node */
  workerGroup?: WorkerGroup;
  /** What `/ws/status` and `getStatus()` report while the application does not listen. @default '0.0.0.0' */
  host?: string;
  /** What `/ws/status` and `getStatus()` report while the application does not listen. @default 8765 */
  port?: number;
}

type Optional = 'authenticator' | 'accessPolicy' | 'audit' | 'publicUrl' | 'workerGroup';

export type ResolvedOptions = Required<Omit<NotificationOptions, Optional | 'webhook'>> &
  Pick<NotificationOptions, Optional> & { webhook?: ResolvedWebhook };

/** DI token of the resolved options. */
export const ResolvedOptions = Symbol('ResolvedOptions');

/** RFC 6455: a token of RFC 9110. `bearer.` carries a user's token. */
const SUBPROTOCOL_NAME = /^(?!bearer\.)[!#$%&'*+.^_`|~0-9A-Za-z-]+$/i;

const positive = z.int().min(1);
const duration = z
  .number()
  .min(1)
  .max(365 * 86_400_000);

const schema = z.strictObject({
  paths: z.array(z.string().regex(/^\//, 'must begin with /')).min(1).default(['/ws']),
  engine: z.enum(['embedded', 'redis']).default('embedded'),
  redisUrls: z.array(REDIS_URL).default([]),
  redisPrefix: z.string().regex(REDIS_PREFIX, 'must be 1 to 64 letters, digits or any of . _ - : / @').default('ws'),
  redisAcceptLoss: z.boolean().default(false),
  redisWaitReplicas: z.int().min(0).default(0),
  dataDir: z.string().min(1).default('./data'),
  maxConnections: positive.default(1000),
  maxConnectionsPerUser: positive.default(20),
  maxPendingPerUser: positive.default(100_000),
  pingIntervalMs: duration.default(30_000),
  pingTimeoutMs: duration.default(10_000),
  callbackTimeoutMs: duration.default(300_000),
  timeoutDecision: z.enum(['proceed', 'abort', 'error']).default('proceed'),
  maxPayload: z.int().min(1024).default(65_536),
  maxOutbox: z.int().min(1024).default(1_048_576),
  maxFramesInWork: positive.default(64),
  rateLimit: positive.default(200),
  rateBurst: positive.default(10_000),
  maxSubscriptions: positive.default(1000),
  drainTimeoutMs: z.number().min(0).max(86_400_000).default(10_000),
  retentionMs: duration.default(86_400_000),
  historySize: z.int().min(0).default(1000),
  historyTtlMs: duration.default(300_000),
  compression: z.boolean().default(true),
  authenticator: z
    .custom<Authenticator>(
      (value) => typeof (value as Authenticator | null)?.authenticate === 'function',
      'must have an authenticate() method',
    )
    .optional(),
  apiKeys: z.array(z.string().min(16, 'must have at least 16 characters')).default([]),
  accessPolicy: z
    .custom<AccessPolicy>((value) => typeof value === 'object' && value !== null, 'must be an AccessPolicy')
    .optional(),
  accessReviewMs: z.number().min(1).max(300_000).default(240_000),
  allowedOrigins: z.array(z.string()).default([]),
  allowedHosts: z.array(z.string()).default([]),
  subprotocols: z.array(z.string().regex(SUBPROTOCOL_NAME, 'must be a token, and not begin with bearer.')).default([]),
  tokenInQuery: z.boolean().default(false),
  trustProxy: z.array(z.string().min(1)).default([]),
  maxConnectionsPerAddress: z.int().min(0).default(0),
  handshakeRate: z.int().min(0).default(0),
  authenticationFailures: positive.default(30),
  audit: z.custom<(entry: AuditEntry) => void>((value) => typeof value === 'function', 'must be a function').optional(),
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }),
      secret: z.preprocess(
        (given) => (typeof given === 'string' ? [given] : given),
        z.array(z.string().regex(WEBHOOK_SECRET, 'must be whsec_ and base64 of at least 24 bytes')).min(1),
      ),
      timeoutMs: z.number().min(1).max(3_600_000).default(10_000),
      events: z
        .array(z.enum(WEBHOOK_EVENTS, `must be some of ${WEBHOOK_EVENTS.join(', ')}`))
        .min(1)
        .default([...WEBHOOK_EVENTS]),
    })
    .optional(),
  publicUrl: PUBLIC_URL.optional(),
  allowOpenMode: z.boolean().default(false),
  authenticationTimeoutMs: duration.default(3000),
  engineTimeoutMs: duration.default(2000),
  workerGroup: z
    .custom<WorkerGroup>((value) => typeof (value as WorkerGroup | null)?.takePlace === 'function', 'must be a WorkerGroup')
    .optional(),
  host: z.string().default('0.0.0.0'),
  port: z.int().min(0).max(65_535).default(8765),
});

function hasReadableCredentials(url: string): boolean {
  try {
    const { username, password } = new URL(url);
    decodeURIComponent(`${username}:${password}`);
    return true;
  } catch {
    return false;
  }
}

/**
 * @throws ConfigurationError naming the first option that cannot be used
 */
export function resolveOptions(options: NotificationOptions = {}): ResolvedOptions {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ConfigurationError(`option ${issue?.path.join('.') || '(root)'}: ${issue?.message ?? 'invalid'}`);
  }
  const resolved = parsed.data;
  if (resolved.engine === 'redis' && resolved.redisUrls.length === 0) {
    throw new ConfigurationError('the engine redis needs WEBSOCKET_REDIS_URL (option redisUrls)');
  }
  if (resolved.redisUrls.length > 1 && resolved.redisUrls.some((url) => !/^\/?0*$/.test(new URL(url).pathname))) {
    throw new ConfigurationError(
      'WEBSOCKET_REDIS_URL (option redisUrls) names a database, but a Redis Cluster has only database 0',
    );
  }
  if (!resolved.authenticator && process.env['NODE_ENV'] === 'production' && !resolved.allowOpenMode) {
    throw new ConfigurationError(
      'no authentication is configured, which NODE_ENV=production does not take: configure it, or set WEBSOCKET_AUTH=none (option allowOpenMode) to run open',
    );
  }
  return Object.freeze(resolved);
}
