/**
 * Whether a Redis may be trusted with prompts: it keeps what it acknowledged over a restart, and throws nothing away
 * when memory runs short.
 */
import { ConfigurationError } from '../../../notification.errors.js';
import type { Logger } from './error-log.js';
import type { RedisConnections } from './redis-connections.js';

const OLDEST_MAJOR = 7;

/** @throws ConfigurationError, with the reason */
export async function checkServer(link: RedisConnections, acceptLoss: boolean, logger: Logger): Promise<void> {
  for (const info of await link.askAll('INFO')) {
    const fields = fieldsOf(info);
    const version = fields.get('redis_version') ?? 'unknown';
    if (Number.parseInt(version, 10) < OLDEST_MAJOR)
      throw new ConfigurationError(`Redis ${version} is too old: 7.0 or later is needed`);
    const reasons = [];
    if (fields.get('aof_enabled') !== '1') reasons.push('it does not persist what it acknowledges (set appendonly yes)');
    const policy = fields.get('maxmemory_policy') ?? 'unknown';
    if (policy !== 'noeviction' && fields.get('maxmemory') !== '0')
      reasons.push(`it throws away keys when memory runs short (set maxmemory-policy noeviction instead of ${policy})`);
    if (reasons.length === 0) continue;
    const message = `this Redis can lose prompts and answers: ${reasons.join('; ')}`;
    if (!acceptLoss) throw new ConfigurationError(message);
    logger.warn(`${message}; accepted by a setting`);
  }
  await warnOfLateWrites(link, logger);
}

/** With everysec an acknowledged write may not even have reached the operating system while an earlier fsync is under way. */
async function warnOfLateWrites(link: RedisConnections, logger: Logger): Promise<void> {
  try {
    const policies = (await link.askAll('CONFIG', 'GET', 'appendfsync')).map(
      (reply) => Object.values(Object(reply) as object).at(-1) as unknown,
    );
    if (policies.some((policy) => policy !== 'always'))
      logger.warn(
        'this Redis may lose the last seconds when it crashes while its disk is slow; appendfsync always loses nothing',
      );
  } catch (error) {
    // Managed Redis does not show its configuration; that is no reason not to start.
    logger.warn(`whether this Redis syncs every write is not known: ${String(error)}`);
  }
}

function fieldsOf(info: unknown): Map<string, string> {
  return new Map(
    String(info)
      .split('\r\n')
      .map((line) => line.split(':', 2))
      .filter((pair): pair is [string, string] => pair.length === 2),
  );
}
