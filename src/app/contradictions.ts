/** Finds settings that are valid by themselves but have no meaning without another one. */
import { resolve } from 'node:path';
import { ConfigurationError } from '../notification/index.js';
import type { SettingName } from './settings/settings.js';

interface Given {
  /** Whether a setting has a value other than its default. */
  isSet: (name: SettingName) => boolean;
  /** Its text. Of a secret, use only whether it is there. */
  text: (name: SettingName) => string | undefined;
}

const JWT_KEYS: readonly SettingName[] = ['WEBSOCKET_JWT_SECRET', 'WEBSOCKET_JWT_PUBLIC_KEY', 'WEBSOCKET_JWKS_URL'];

/** Each of `names` needs what `needs` says. */
const NEEDS: readonly { names: readonly SettingName[]; needs: string; isMet: (given: Given) => boolean }[] = [
  {
    names: [
      'WEBSOCKET_REDIS_URL',
      'WEBSOCKET_REDIS_PREFIX',
      'WEBSOCKET_REDIS_ACCEPT_LOSS',
      'WEBSOCKET_REDIS_WAIT_REPLICAS',
      'WEBSOCKET_WORKERS',
    ],
    needs: 'WEBSOCKET_ENGINE=redis',
    isMet: ({ text }) => text('WEBSOCKET_ENGINE') === 'redis',
  },
  {
    names: [...JWT_KEYS, 'WEBSOCKET_JWT_AUDIENCE', 'WEBSOCKET_JWT_ISSUER', 'WEBSOCKET_TOKEN_IN_QUERY'],
    needs: 'WEBSOCKET_AUTH=jwt',
    isMet: ({ text }) => text('WEBSOCKET_AUTH') === 'jwt',
  },
  {
    names: ['WEBSOCKET_WEBHOOK_SECRET', 'WEBSOCKET_WEBHOOK_TIMEOUT', 'WEBSOCKET_WEBHOOK_EVENTS'],
    needs: 'WEBSOCKET_WEBHOOK_URL',
    isMet: ({ isSet }) => isSet('WEBSOCKET_WEBHOOK_URL'),
  },
  {
    names: ['WEBSOCKET_WEBHOOK_URL'],
    needs: 'WEBSOCKET_WEBHOOK_SECRET',
    isMet: ({ isSet }) => isSet('WEBSOCKET_WEBHOOK_SECRET'),
  },
];

/** @throws ConfigurationError naming the first setting that contradicts another */
export function checkContradictions(given: Given): void {
  for (const { names, needs, isMet } of NEEDS) {
    const name = names.find(given.isSet);
    if (name !== undefined && !isMet(given)) throw new ConfigurationError(`${name} is set, but it needs ${needs}`);
  }
  if (given.text('WEBSOCKET_ENGINE') === 'redis' && !given.isSet('WEBSOCKET_REDIS_URL'))
    throw new ConfigurationError('WEBSOCKET_ENGINE is "redis", but WEBSOCKET_REDIS_URL is not set');
  if (given.text('WEBSOCKET_AUTH') === 'jwt') checkJwtKeys(JWT_KEYS.filter(given.isSet));
  const [log, audit] = [given.text('WEBSOCKET_LOG_FILE'), given.text('WEBSOCKET_AUDIT_FILE')];
  if (log !== undefined && audit !== undefined && log !== '/dev/null' && resolve(log) === resolve(audit))
    throw new ConfigurationError(`WEBSOCKET_AUDIT_FILE is ${JSON.stringify(audit)}, which is WEBSOCKET_LOG_FILE too`);
}

/** Lines about settings that have no effect, without contradicting anything. */
export function withoutEffect({ isSet, text }: Given): string[] {
  return text('WEBSOCKET_ENGINE') === 'redis' && isSet('WEBSOCKET_DATA_DIR')
    ? ['WEBSOCKET_DATA_DIR has no effect with WEBSOCKET_ENGINE=redis']
    : [];
}

function checkJwtKeys(given: readonly string[]): void {
  if (given.length === 1) return;
  const found = given.length === 0 ? 'none is set' : `${given.join(' and ')} are set`;
  throw new ConfigurationError(`WEBSOCKET_AUTH is "jwt", which takes exactly one of ${JWT_KEYS.join(', ')}, but ${found}`);
}
