/** Builds the service and listens: what `main.ts` boots, and tests start in their own process. */
import type { Server } from 'node:http';
import { Logger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AppConfig } from './app.config.js';
import { EndingGently } from './app.http.js';
import { AppModule } from './app.module.js';
import { ConfigurationError, Entrance, HttpErrorFilter, NotificationWsAdapter } from './notification/index.js';
import { serveDocs } from './ops/docs.js';
import { PinoLogger } from './ops/logger.js';

/** Many clients come back at once after a restart. The kernel caps it at `net.core.somaxconn`. */
const LISTEN_BACKLOG = 8192;
/** A handshake or request that has not arrived whole by then is closed. */
const HEADERS_TIMEOUT_MS = 3000;

/**
 * @throws ConfigurationError when the port is taken or a setting or the data folder cannot be used
 */
export async function startApp(config: Readonly<AppConfig>): Promise<INestApplication> {
  const logger = new Logger('App');
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forConfig(config), new EndingGently(), {
    logger: new PinoLogger({ level: config.logLevel, file: config.logFile }),
    abortOnError: false,
    forceCloseConnections: true,
  });
  app.disable('x-powered-by');
  app.useBodyParser('json', { limit: '1mb' });
  app.use(app.get(Entrance).admitAll);
  app.useGlobalFilters(app.get(HttpErrorFilter));
  app.useWebSocketAdapter(new NotificationWsAdapter(app));
  serveDocs(app);
  const server = app.getHttpServer();
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  // Node looks for late ones so often; the default, 30 s, would let them stay as long.
  Object.assign(server, { connectionsCheckingInterval: 500 });
  for (const warning of config.warnings) logger.warn(warning);
  try {
    await app.init();
    await listen(server, config);
  } catch (error) {
    await app.close();
    throw error;
  }
  if (config.openMode)
    logger.warn('open mode: whoever connects may say who they are, and answer. Set WEBSOCKET_AUTH to close it.');
  logger.log(`listening on ${config.host}:${portOf(server)}`);
  return app;
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the server listens on no port');
  return address.port;
}

function listen(server: Server, { host, port }: Readonly<AppConfig>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE' ? 'is taken by another process' : `cannot be listened on (${error.code ?? error.message})`;
      reject(new ConfigurationError(`WEBSOCKET_PORT: ${host}:${port} ${reason}`));
    });
    server.listen({ host, port, backlog: LISTEN_BACKLOG }, resolve);
  });
}
