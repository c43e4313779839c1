/**
 * Checks whether a Redis may hold confirmations: it keeps over a restart what it has acknowledged, and evicts nothing when memory
 * runs short.
 */
import { ConfigurationError } from '../../../notification.errors.js';
import type { Logger } from './error-log.js';
import type { RedisConnections } from './redis-connections.js';

const OLDEST_MAJOR = 7;

/** @throws ConfigurationError, with the reason */
export async function checkServer(connections: RedisConnections, acceptLoss: boolean, logger: Logger): Promise<void> {
  for (const info of await connections.askAll('INFO')) {
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
  await warnOfLateWrites(connections, logger);
}

/** With everysec an acknowledged write may not have reached the operating system while an earlier fsync is under way. */
async function warnOfLateWrites(connections: RedisConnections, logger: Logger): Promise<void> {
  try {
    const policies = (await connections.askAll('CONFIG', 'GET', 'appendfsync')).map(
      (reply) => Object.values(Object(reply) as object).at(-1) as unknown,
    );
    if (policies.some((policy) => policy !== 'always'))
      logger.warn(
        'this Redis may lose the last seconds when it crashes while its disk is slow; appendfsync always loses nothing',
      );
  } catch (error) {
    // A managed Redis may hide its configuration. The node starts all the same.
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
