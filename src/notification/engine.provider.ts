/** The engine that the options choose, and its five interfaces as providers. No other file of the module chooses an engine. */
import { Logger, type Provider } from '@nestjs/common';
import { Reading } from './connection/reading.js';
import { Broker, ConfirmationStore, Engine, EventQueue, Presence, Revocations, TaskStore } from './engine/engine.js';
import { TracedConfirmations } from './engine/traced-confirmations.js';
import { measured } from './engine/measured.js';
import { ConfigurationError } from './notification.errors.js';
import { NotificationMetrics } from './notification.metrics.js';
import { ResolvedOptions } from './notification.options.js';

export const ENGINE_PROVIDERS: Provider[] = [
  {
    provide: Engine,
    useFactory: async (options: ResolvedOptions, reading: Reading, metrics: NotificationMetrics) =>
      measured(await newEngine(options, reading), (...call) => metrics.engineCalled(...call)),
    inject: [ResolvedOptions, Reading, NotificationMetrics],
  },
  { provide: ConfirmationStore, useFactory: (engine: Engine) => new TracedConfirmations(engine.confirmations), inject: [Engine] },
  { provide: TaskStore, useFactory: (engine: Engine) => engine.tasks, inject: [Engine] },
  { provide: Broker, useFactory: (engine: Engine) => engine.broker, inject: [Engine] },
  { provide: Presence, useFactory: (engine: Engine) => engine.presence, inject: [Engine] },
  { provide: Revocations, useFactory: (engine: Engine) => engine.revocations, inject: [Engine] },
  { provide: EventQueue, useFactory: (engine: Engine) => engine.events, inject: [Engine] },
];

/** Imports only the chosen engine: the libraries of the other one would cost every start a tenth of a second. */
async function newEngine(options: ResolvedOptions, reading: Reading): Promise<Engine> {
  const logger = new Logger('Engine');
  const settings = { ...options, webhookEvents: options.webhook?.events };
  if (options.engine === 'embedded') {
    const { EmbeddedEngine } = await import('./engine/embedded/embedded-engine.js');
    return new EmbeddedEngine({ dataDir: options.dataDir, settings, reading, logger });
  }
  const { RedisEngine } = await import('./engine/redis/redis-engine.js').catch((cause: unknown) => {
    throw new ConfigurationError(`the engine redis needs the package redis (npm install redis): ${String(cause)}`);
  });
  const [only, ...others] = options.redisUrls;
  return new RedisEngine({
    url: only !== undefined && others.length === 0 ? only : { cluster: options.redisUrls },
    settings,
    reading,
    commandTimeoutMs: options.engineTimeoutMs,
    acceptLoss: options.redisAcceptLoss,
    waitReplicas: options.redisWaitReplicas,
    keyPrefix: options.redisPrefix,
    nodeName: options.workerGroup?.nodeName,
    logger,
  });
}
