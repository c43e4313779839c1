/** Boot, nothing else: reads the settings, starts the service, stops it on SIGTERM and SIGINT. */
import 'reflect-metadata';
import { readConfig } from './app.config.js';
import { startApp } from './app.js';
import { ConfigurationError } from './notification/index.js';

try {
  const app = await startApp(readConfig(process.env));
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
} catch (error) {
  fail(error);
}

/** What the person can mend is one line; anything else is a fault of ours, with its stack. */
function fail(error: unknown): never {
  process.stderr.write(`${error instanceof ConfigurationError ? error.message : String((error as Error).stack ?? error)}\n`);
  process.exit(1);
}
