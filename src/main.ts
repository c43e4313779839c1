/** Boot, nothing else: reads the settings (the environment, and `.env` for what it does not say), starts the service, stops it on SIGTERM and SIGINT. */
import { existsSync } from 'node:fs';
import 'reflect-metadata';
import { readConfig } from './app/app.config.js';
import { startApp } from './app/app.js';
import { ConfigurationError } from './notification/index.js';
import { printable, resolveOptions } from './notification/service-door.js';
import { isFirst, runWorkers } from './app/cluster.js';

async function bootstrap(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = readConfig(process.env);
  if (config.workers > 1 && isFirst()) {
    runWorkers(config.workers, resolveOptions(config.notification).maxConnections);
    return;
  }
  const app = await startApp(config);
  // Not `enableShutdownHooks()`: it ends the process by the signal, and a clean stop has the exit code 0.
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    app.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** Prints a configuration error as one line, and any other error, which is a fault of the service, with its stack. */
function fail(error: unknown): never {
  process.stderr.write(
    `${error instanceof ConfigurationError ? printable(error.message) : String((error as Error).stack ?? error)}\n`,
  );
  process.exit(1);
}

await bootstrap().catch(fail);
