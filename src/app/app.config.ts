/**
 * The environment becomes one validated, typed, frozen configuration, read once at boot.
 *
 * A wrong value stops the start with one line that names the variable, what it got and what it takes. An unknown
 * `WEBSOCKET_…` name causes a warning.
 */
import { ConfigurationError, JwtAuthenticator, type NotificationOptions, type WebhookOptions } from '../notification/index.js';
import { checkContradictions, withoutEffect } from './contradictions.js';
import type { LogLevels } from './logger.js';
import { withSecretFiles } from './secret-files.js';
import { defaultOf, FILE_NAMES, SETTING_NAMES, settingOf, type SettingName, type SettingValues } from './settings/settings.js';

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
  /** Whether the web page is served at `/`. */
  page: boolean;
  auditFile?: string;
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
  const complete = withSecretFiles(
    environment,
    FILE_NAMES.map((name) => name.replace(/_FILE$/, '')),
  );
  // Platforms that choose the port say so in PORT.
  const isPortElsewhere = isEmpty(complete['WEBSOCKET_PORT']) && !isEmpty(complete['PORT']);
  if (isPortElsewhere) complete['WEBSOCKET_PORT'] = complete['PORT'];
  const settings = Object.fromEntries(
    SETTING_NAMES.map((name) => [name, read(name, complete[name], isPortElsewhere && name === 'WEBSOCKET_PORT' ? 'PORT' : name)]),
  ) as SettingValues;
  const text = (name: SettingName): string | undefined => (isEmpty(complete[name]) ? defaultOf(name) : complete[name]);
  const given = { text, isSet: (name: SettingName): boolean => text(name) !== defaultOf(name) };
  checkContradictions(given);
  const auth = settings.WEBSOCKET_AUTH;
  const host = settings.WEBSOCKET_HOST ?? (auth === undefined ? '127.0.0.1' : '0.0.0.0');
  return Object.freeze({
    host,
    port: settings.WEBSOCKET_PORT ?? Number(defaultOf('WEBSOCKET_PORT')),
    keepAliveMs: settings.WEBSOCKET_KEEP_ALIVE,
    docs: settings.WEBSOCKET_DOCS ?? auth !== 'jwt',
    page: settings.WEBSOCKET_CONSOLE,
    workers: settings.WEBSOCKET_WORKERS,
    logLevels: settings.WEBSOCKET_LOG_LEVEL,
    logFile: settings.WEBSOCKET_LOG_FILE,
    auditFile: settings.WEBSOCKET_AUDIT_FILE,
    openByDefault: auth === undefined,
    warnings: [...unknownNames(environment).map((name) => `unknown setting ${name} is ignored`), ...withoutEffect(given)],
    notification: {
      ...optionsOf(settings),
      paths: ['/ws', '/'],
      host,
      webhook: webhookOf(settings),
      authenticator: authenticatorOf(settings),
      allowOpenMode: auth === 'none',
    },
  });
}

/** Each setting's value under the name of its option. */
function optionsOf(settings: SettingValues): NotificationOptions {
  const entries = SETTING_NAMES.map((name): [string, unknown] => [settingOf(name).option ?? '', settings[name]]);
  return Object.fromEntries(entries.filter(([option]) => option !== ''));
}

function webhookOf(settings: SettingValues): WebhookOptions | undefined {
  const { WEBSOCKET_WEBHOOK_URL: url, WEBSOCKET_WEBHOOK_SECRET: secret = [] } = settings;
  if (url === undefined) return undefined;
  return { url, secret, timeoutMs: settings.WEBSOCKET_WEBHOOK_TIMEOUT, events: settings.WEBSOCKET_WEBHOOK_EVENTS };
}

function authenticatorOf(settings: SettingValues): JwtAuthenticator | undefined {
  if (settings.WEBSOCKET_AUTH !== 'jwt') return undefined;
  const { WEBSOCKET_JWT_SECRET: secret, WEBSOCKET_JWT_PUBLIC_KEY: publicKey, WEBSOCKET_JWKS_URL: jwksUrl } = settings;
  const name = secret !== undefined ? 'WEBSOCKET_JWT_SECRET' : 'WEBSOCKET_JWT_PUBLIC_KEY';
  try {
    const { WEBSOCKET_JWT_AUDIENCE: audience, WEBSOCKET_JWT_ISSUER: issuer } = settings;
    return new JwtAuthenticator({ secret, publicKey, jwksUrl, audience, issuer });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`${name} is not usable, but takes ${settingOf(name).takes} (${error.message})`);
  }
}

function unknownNames(environment: NodeJS.ProcessEnv): string[] {
  const known = new Set<string>([...SETTING_NAMES, ...FILE_NAMES]);
  return Object.keys(environment).filter((name) => name.startsWith('WEBSOCKET_') && !known.has(name));
}

/** Compose files pass settings that are not set as empty strings. */
const isEmpty = (text: string | undefined): boolean => text === undefined || text === '';

/** @param as how the error names the setting */
function read(name: SettingName, given: string | undefined, as: string): unknown {
  const { schema, default: fallback, takes, isSecret } = settingOf(name);
  const text = isEmpty(given) ? fallback : given;
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(text);
  if (!parsed.success)
    throw new ConfigurationError(`${as} is ${isSecret ? 'not usable' : JSON.stringify(text)}, but takes ${takes}`);
  return parsed.data;
}
