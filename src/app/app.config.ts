/**
 * The environment becomes one validated, typed, frozen configuration, read once at boot.
 *
 * A wrong value stops the start with one line that names the variable, what it got and what it takes; an unknown
 * `WEBSOCKET_…` name is warned of. The settings table of the README and `.env.example` list the same names.
 */
import { z } from 'zod';
import { checkContradictions, withoutEffect } from './contradictions.js';
import { withSecretFiles } from './secret-files.js';
import { LEVELS, type Level, type LogLevels } from './logger.js';
import {
  canonicalOrigin,
  ConfigurationError,
  JwtAuthenticator,
  parseHost,
  PUBLIC_URL,
  REDIS_PREFIX,
  WEBHOOK_SECRET,
  type NotificationOptions,
  type WebhookOptions,
} from '../notification/index.js';
import { WEBHOOK_EVENTS } from '../protocol/webhook-events.js';

const integer = (min: number, max = Number.MAX_SAFE_INTEGER): z.ZodType<number> =>
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;

const seconds = z
  .string()
  .regex(/^\d+(\.\d+)?$/)
  .transform((text) => Number(text) * 1000);

/** What a timer or a sum with the clock can take: a millisecond to a year. */
const duration = seconds.refine((ms) => ms >= 1 && ms <= YEAR_MS);
const onOff = z.enum(['on', 'off']).transform((value) => value === 'on');
/** Separated by commas or line breaks. A value that is not empty names something. */
const list = z
  .string()
  .transform((text) => ({
    text,
    items: text
      .split(/[,\n]/)
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  }))
  .refine(({ text, items }) => text === '' || items.length > 0)
  .transform(({ items }) => items);

/** `info,Audit=warn`: a level, and levels of single loggers. */
const logLevels = z
  .string()
  .regex(new RegExp(`^(?:${LEVELS.join('|')})(?:,[\\w.]+=(?:${LEVELS.join('|')}))*$`))
  .transform((text): LogLevels => {
    const [all, ...others] = text.split(',');
    const pairs = others.map((other) => other.split('='));
    return { all: all as Level, byLogger: new Map(pairs.map(([name = '', level]) => [name.toLowerCase(), level as Level])) };
  });

interface Setting<T> {
  schema: z.ZodType<T>;
  default: string | undefined;
  takes: string;
  /** Its value is told to nobody. */
  isSecret?: boolean;
}

function setting<T>(schema: z.ZodType<T>, fallback: string, takes: string): Setting<T> {
  return { schema, default: fallback, takes };
}

function secret<T>(schema: z.ZodType<T>, fallback: string, takes: string): Setting<T> {
  return { schema, default: fallback, takes, isSecret: true };
}

function optional<T>(schema: z.ZodType<T>, takes: string): Setting<T | undefined> {
  return { schema, default: undefined, takes };
}

/** Settings that may stand in a file, which `…_FILE` names. */
const SECRETS = [
  'WEBSOCKET_REDIS_URL',
  'WEBSOCKET_JWT_SECRET',
  'WEBSOCKET_JWT_PUBLIC_KEY',
  'WEBSOCKET_API_KEYS',
  'WEBSOCKET_WEBHOOK_URL',
  'WEBSOCKET_WEBHOOK_SECRET',
] as const;

const fileOf = (name: (typeof SECRETS)[number]): Setting<string | undefined> =>
  optional(z.string().min(1), `a file that holds ${name}`);

/** Every setting: how it is read, its default, what it takes in words. */
export const SETTINGS = {
  WEBSOCKET_HOST: optional(
    z.string().min(1),
    'an address or name to listen on; without, 127.0.0.1 in open mode by default, else 0.0.0.0',
  ),
  WEBSOCKET_PORT: setting(integer(0, 65_535), '8765', 'a port, 0 to 65535'),
  WEBSOCKET_KEEP_ALIVE: setting(duration, '65', 'seconds, 0.001 to 31536000'),
  WEBSOCKET_MAX_CONNECTIONS: setting(integer(1), '1000', 'a whole number from 1'),
  WEBSOCKET_PING_INTERVAL: setting(duration, '30', 'seconds, 0.001 to 31536000'),
  WEBSOCKET_PING_TIMEOUT: setting(duration, '10', 'seconds, 0.001 to 31536000'),
  WEBSOCKET_CALLBACK_TIMEOUT: setting(duration, '300', 'seconds, 0.001 to 31536000'),
  WEBSOCKET_ENGINE: setting(z.enum(['embedded', 'redis']), 'embedded', 'embedded or redis'),
  WEBSOCKET_REDIS_URL: {
    ...optional(
      list.refine((urls) => urls.every((url) => z.url({ protocol: /^rediss?$/ }).safeParse(url).success)),
      'redis:// or rediss:// URL; several, separated by commas, are nodes of a Redis Cluster',
    ),
    isSecret: true,
  },
  WEBSOCKET_REDIS_URL_FILE: fileOf('WEBSOCKET_REDIS_URL'),
  WEBSOCKET_REDIS_PREFIX: setting(z.string().regex(REDIS_PREFIX), 'ws', '1 to 64 letters, digits or any of . _ - : / @'),
  WEBSOCKET_REDIS_ACCEPT_LOSS: setting(onOff, 'off', 'on or off'),
  WEBSOCKET_REDIS_WAIT_REPLICAS: setting(integer(0), '0', 'a whole number of replicas'),
  WEBSOCKET_WORKERS: setting(integer(1, 1024), '1', 'a number of processes; more than 1 need the redis engine'),
  WEBSOCKET_DATA_DIR: setting(z.string().min(1), './data', 'a folder, or :memory:'),
  WEBSOCKET_TIMEOUT_DECISION: setting(z.enum(['proceed', 'abort', 'error']), 'proceed', 'proceed, abort or error'),
  WEBSOCKET_MAX_CONNECTIONS_PER_USER: setting(integer(1), '20', 'a whole number from 1'),
  WEBSOCKET_MAX_PENDING_PER_USER: setting(integer(1), '100000', 'a whole number from 1'),
  WEBSOCKET_MAX_PAYLOAD: setting(integer(1024), '65536', 'bytes, from 1024'),
  WEBSOCKET_MAX_OUTBOX: setting(integer(1024), '1048576', 'bytes, from 1024'),
  WEBSOCKET_RATE_LIMIT: setting(integer(1), '200', 'frames and REST calls a second of one identity, from 1'),
  WEBSOCKET_RATE_BURST: setting(integer(1), '10000', 'frames and REST calls at once, from 1'),
  WEBSOCKET_MAX_SUBSCRIPTIONS: setting(integer(1), '1000', 'channels, from 1'),
  WEBSOCKET_DRAIN_TIMEOUT: setting(
    seconds.refine((ms) => ms <= DAY_MS),
    '10',
    'seconds, 0 to 86400',
  ),
  WEBSOCKET_RETENTION: setting(duration, '86400', 'seconds, 0.001 to 31536000'),
  WEBSOCKET_HISTORY_SIZE: setting(integer(0), '1000', 'messages, from 0'),
  WEBSOCKET_HISTORY_TTL: setting(duration, '300', 'seconds, 0.001 to 31536000'),
  WEBSOCKET_AUTH: optional(z.enum(['none', 'jwt']), 'none or jwt'),
  WEBSOCKET_JWT_SECRET: { ...optional(z.string(), 'a secret of at least 32 bytes'), isSecret: true },
  WEBSOCKET_JWT_SECRET_FILE: fileOf('WEBSOCKET_JWT_SECRET'),
  WEBSOCKET_JWT_PUBLIC_KEY: optional(z.string(), 'a PEM of an RSA, EC or Ed25519 public key'),
  WEBSOCKET_JWT_PUBLIC_KEY_FILE: fileOf('WEBSOCKET_JWT_PUBLIC_KEY'),
  WEBSOCKET_JWKS_URL: optional(z.url({ protocol: /^https?$/ }), 'an http(s) URL'),
  WEBSOCKET_JWT_AUDIENCE: optional(z.string(), 'the audience that a token must name'),
  WEBSOCKET_JWT_ISSUER: optional(z.string(), 'the issuer that a token must name'),
  WEBSOCKET_TOKEN_IN_QUERY: setting(onOff, 'off', 'on or off'),
  WEBSOCKET_ALLOWED_ORIGINS: setting(
    list.refine((origins) => origins.every((origin) => canonicalOrigin(origin) !== undefined)),
    '',
    'origins of web pages (scheme://host[:port], null, file:// or *), separated by commas',
  ),
  WEBSOCKET_ALLOWED_HOSTS: setting(
    list.refine((hosts) => hosts.every((host) => parseHost(host) !== undefined)),
    '',
    'hosts (name[:port]), separated by commas',
  ),
  WEBSOCKET_TRUST_PROXY: setting(list, '', 'addresses, subnets, loopback, linklocal or uniquelocal, separated by commas'),
  WEBSOCKET_MAX_CONNECTIONS_PER_ADDRESS: setting(integer(0), '0', 'a whole number; 0 for no limit'),
  WEBSOCKET_HANDSHAKE_RATE: setting(integer(0), '0', 'handshakes a second from one address; 0 for no limit'),
  WEBSOCKET_AUTH_FAILURES: setting(integer(1), '30', 'failures a minute from one address, from 1'),
  WEBSOCKET_API_KEYS: secret(
    list.refine((keys) => keys.every((key) => key.length >= 16)),
    '',
    'keys of at least 16 characters, separated by commas',
  ),
  WEBSOCKET_API_KEYS_FILE: fileOf('WEBSOCKET_API_KEYS'),
  WEBSOCKET_WEBHOOK_URL: { ...optional(z.url({ protocol: /^https?$/ }), 'an http(s) URL'), isSecret: true },
  WEBSOCKET_WEBHOOK_URL_FILE: fileOf('WEBSOCKET_WEBHOOK_URL'),
  WEBSOCKET_WEBHOOK_SECRET: secret(
    list.refine((secrets) => secrets.every((each) => WEBHOOK_SECRET.test(each))),
    '',
    'whsec_ and base64 of at least 24 bytes; several, separated by commas, each sign',
  ),
  WEBSOCKET_WEBHOOK_SECRET_FILE: fileOf('WEBSOCKET_WEBHOOK_SECRET'),
  WEBSOCKET_WEBHOOK_EVENTS: setting(
    list.pipe(z.array(z.enum(WEBHOOK_EVENTS)).min(1)),
    WEBHOOK_EVENTS.join(','),
    `events, separated by commas: ${WEBHOOK_EVENTS.join(', ')}`,
  ),
  WEBSOCKET_WEBHOOK_TIMEOUT: setting(
    duration.refine((ms) => ms <= HOUR_MS),
    '10',
    'seconds, 0.001 to 3600',
  ),
  WEBSOCKET_PUBLIC_URL: optional(PUBLIC_URL, 'an http(s) URL without credentials, query and fragment'),
  WEBSOCKET_LOG_LEVEL: setting(
    logLevels,
    'info',
    'fatal, error, warn, info, debug, trace or silent; levels of single loggers may follow, as in info,Audit=warn',
  ),
  WEBSOCKET_LOG_FILE: optional(z.string().min(1), 'a file'),
  WEBSOCKET_AUDIT_FILE: optional(z.string().min(1), 'a file; without, the audit trail goes to the log'),
  WEBSOCKET_CONSOLE: setting(z.enum(['off']), 'off', 'off: there is no console yet'),
  WEBSOCKET_DOCS: optional(onOff, 'on or off; without, on in open mode'),
  WEBSOCKET_COMPRESSION: setting(onOff, 'on', 'on or off'),
} as const;

export type SettingName = keyof typeof SETTINGS;
type Settings = { readonly [N in SettingName]: z.output<(typeof SETTINGS)[N]['schema']> };

export interface AppConfig {
  host: string;
  port: number;
  /** Processes that share the port. */
  workers: number;
  logLevels: LogLevels;
  logFile?: string;
  /** How long an idle HTTP connection is kept. */
  keepAliveMs: number;
  /** Whether `/docs` is served. */
  docs: boolean;
  auditFile?: string;
  openMode: boolean;
  /** Open mode that no setting chose: it listens on this machine only, unless `WEBSOCKET_HOST` says otherwise. */
  openByDefault: boolean;
  notification: NotificationOptions;
  /** Lines to warn with once logging stands. */
  warnings: string[];
}

/**
 * @throws ConfigurationError naming the first setting that cannot be used
 */
export function readConfig(environment: NodeJS.ProcessEnv): Readonly<AppConfig> {
  const names = Object.keys(SETTINGS) as SettingName[];
  const complete = withSecretFiles(environment, SECRETS);
  // Platforms that choose the port say so in PORT.
  const isPortElsewhere = isEmpty(complete['WEBSOCKET_PORT']) && !isEmpty(complete['PORT']);
  const settings = Object.fromEntries(
    names.map((name) =>
      name === 'WEBSOCKET_PORT' && isPortElsewhere
        ? [name, read(name, complete['PORT'], 'PORT')]
        : [name, read(name, complete[name])],
    ),
  ) as Settings;
  const text = (name: string): string | undefined =>
    isEmpty(complete[name]) ? SETTINGS[name as SettingName].default : complete[name];
  const given = { text, isSet: (name: string): boolean => text(name) !== SETTINGS[name as SettingName].default };
  checkContradictions(given);
  const unknown = Object.keys(environment).filter((name) => name.startsWith('WEBSOCKET_') && !Object.hasOwn(SETTINGS, name));
  return Object.freeze({
    host: hostOf(settings),
    port: settings.WEBSOCKET_PORT,
    keepAliveMs: settings.WEBSOCKET_KEEP_ALIVE,
    docs: settings.WEBSOCKET_DOCS ?? settings.WEBSOCKET_AUTH !== 'jwt',
    workers: settings.WEBSOCKET_WORKERS,
    logLevels: settings.WEBSOCKET_LOG_LEVEL,
    logFile: settings.WEBSOCKET_LOG_FILE,
    auditFile: settings.WEBSOCKET_AUDIT_FILE,
    openMode: settings.WEBSOCKET_AUTH !== 'jwt',
    openByDefault: settings.WEBSOCKET_AUTH === undefined,
    warnings: [...unknown.map((name) => `unknown setting ${name} is ignored`), ...withoutEffect(given)],
    notification: {
      paths: ['/ws', '/'],
      host: hostOf(settings),
      port: settings.WEBSOCKET_PORT,
      engine: settings.WEBSOCKET_ENGINE,
      redisUrls: settings.WEBSOCKET_REDIS_URL,
      redisPrefix: settings.WEBSOCKET_REDIS_PREFIX,
      redisAcceptLoss: settings.WEBSOCKET_REDIS_ACCEPT_LOSS,
      redisWaitReplicas: settings.WEBSOCKET_REDIS_WAIT_REPLICAS,
      dataDir: settings.WEBSOCKET_DATA_DIR,
      maxConnections: settings.WEBSOCKET_MAX_CONNECTIONS,
      maxConnectionsPerUser: settings.WEBSOCKET_MAX_CONNECTIONS_PER_USER,
      pingIntervalMs: settings.WEBSOCKET_PING_INTERVAL,
      pingTimeoutMs: settings.WEBSOCKET_PING_TIMEOUT,
      callbackTimeoutMs: settings.WEBSOCKET_CALLBACK_TIMEOUT,
      timeoutDecision: settings.WEBSOCKET_TIMEOUT_DECISION,
      maxPendingPerUser: settings.WEBSOCKET_MAX_PENDING_PER_USER,
      maxPayload: settings.WEBSOCKET_MAX_PAYLOAD,
      maxOutbox: settings.WEBSOCKET_MAX_OUTBOX,
      rateLimit: settings.WEBSOCKET_RATE_LIMIT,
      rateBurst: settings.WEBSOCKET_RATE_BURST,
      maxSubscriptions: settings.WEBSOCKET_MAX_SUBSCRIPTIONS,
      drainTimeoutMs: settings.WEBSOCKET_DRAIN_TIMEOUT,
      retentionMs: settings.WEBSOCKET_RETENTION,
      historySize: settings.WEBSOCKET_HISTORY_SIZE,
      historyTtlMs: settings.WEBSOCKET_HISTORY_TTL,
      compression: settings.WEBSOCKET_COMPRESSION,
      apiKeys: settings.WEBSOCKET_API_KEYS,
      allowedOrigins: settings.WEBSOCKET_ALLOWED_ORIGINS,
      allowedHosts: settings.WEBSOCKET_ALLOWED_HOSTS,
      tokenInQuery: settings.WEBSOCKET_TOKEN_IN_QUERY,
      trustProxy: settings.WEBSOCKET_TRUST_PROXY,
      maxConnectionsPerAddress: settings.WEBSOCKET_MAX_CONNECTIONS_PER_ADDRESS,
      handshakeRate: settings.WEBSOCKET_HANDSHAKE_RATE,
      authenticationFailures: settings.WEBSOCKET_AUTH_FAILURES,
      webhook: webhookOf(settings),
      publicUrl: settings.WEBSOCKET_PUBLIC_URL,
      authenticator: authenticatorOf(settings),
      allowOpenMode: settings.WEBSOCKET_AUTH === 'none',
    },
  });
}

function hostOf({ WEBSOCKET_HOST: host, WEBSOCKET_AUTH: auth }: Settings): string {
  return host ?? (auth === undefined ? '127.0.0.1' : '0.0.0.0');
}

function webhookOf(settings: Settings): WebhookOptions | undefined {
  const { WEBSOCKET_WEBHOOK_URL: url, WEBSOCKET_WEBHOOK_SECRET: secret, WEBSOCKET_WEBHOOK_TIMEOUT: timeoutMs } = settings;
  return url === undefined ? undefined : { url, secret, timeoutMs, events: settings.WEBSOCKET_WEBHOOK_EVENTS };
}

function authenticatorOf(settings: Settings): JwtAuthenticator | undefined {
  if (settings.WEBSOCKET_AUTH !== 'jwt') return undefined;
  const { WEBSOCKET_JWT_SECRET: secret, WEBSOCKET_JWT_PUBLIC_KEY: publicKey, WEBSOCKET_JWKS_URL: jwksUrl } = settings;
  const name = secret !== undefined ? 'WEBSOCKET_JWT_SECRET' : 'WEBSOCKET_JWT_PUBLIC_KEY';
  try {
    const { WEBSOCKET_JWT_AUDIENCE: audience, WEBSOCKET_JWT_ISSUER: issuer } = settings;
    return new JwtAuthenticator({ secret, publicKey, jwksUrl, audience, issuer });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`${name} is not usable, but takes ${SETTINGS[name].takes} (${error.message})`);
  }
}

const isEmpty = (text: string | undefined): boolean => text === undefined || text === '';

function read(name: SettingName, given: string | undefined, as: string = name): unknown {
  const { schema, default: fallback, takes, isSecret }: Setting<unknown> = SETTINGS[name];
  // Compose files pass settings that are not set as empty strings.
  const text = isEmpty(given) ? fallback : given;
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(text);
  if (!parsed.success)
    throw new ConfigurationError(`${as} is ${isSecret ? 'not usable' : JSON.stringify(text)}, but takes ${takes}`);
  return parsed.data;
}
