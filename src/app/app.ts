/** Builds the service and listens. `main.ts` boots it; tests start it in their own process. */
import cluster from 'node:cluster';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Logger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AppConfig } from './app.config.js';
import { EndingGently, lastErrorHandler } from './graceful-express.adapter.js';
import { AppModule } from '../app.module.js';
import { ConfigurationError } from '../notification/index.js';
import { Entrance, ProtocolErrorFilter, isLoopback } from '../notification/service-door.js';
import { Logs } from './logs.js';
import { servePage } from './page.js';
import { PrimaryLink } from './primary-link.js';
import { boundRequests } from './request-timeouts.js';

/** Many clients come back at once after a restart. The kernel caps it at `net.core.somaxconn`. */
const LISTEN_BACKLOG = 8192;
/** Errors that are the address's fault, rather than the port's. */
const ADDRESS_ERRORS: ReadonlySet<string | undefined> = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
  'EINVAL',
  'EAFNOSUPPORT',
]);

/**
 * @throws ConfigurationError when the address or port cannot be listened on, or a setting or the data folder cannot be used
 */
export async function startApp(config: Readonly<AppConfig>): Promise<INestApplication> {
  const logger = new Logger('App');
  const { logLevels: levels, logFile: file, auditFile } = config;
  const logs = new Logs({ levels, file, auditFile, worker: cluster.worker?.id });
  const app = await create(config, logs);
  app.disable('x-powered-by');
  app.use(app.get(Entrance).admitAll);
  app.useGlobalFilters(app.get(ProtocolErrorFilter));
  if (config.page) servePage(app, config.notification.authenticator !== undefined);
  const server = app.getHttpServer();
  boundRequests(server);
  server.keepAliveTimeout = config.keepAliveMs;
  for (const warning of config.warnings) logger.warn(warning);
  logs.warnOfWideFiles();
  try {
    await app.init();
    app.use(lastErrorHandler(logger));
    await listen(server, config);
  } catch (error) {
    await app.close();
    throw error;
  }
  logger.log(listeningLine(server, config));
  return app;
}

/** Closes the logs after everything else. */
async function create(config: Readonly<AppConfig>, logs: Logs): Promise<NestExpressApplication> {
  try {
    const app = await NestFactory.create<NestExpressApplication>(
      AppModule.forConfig(config, logs, cluster.isWorker ? new PrimaryLink() : undefined),
      new EndingGently(),
      {
        logger: logs.logger,
        abortOnError: false,
        forceCloseConnections: true,
        // REST routes read their bodies themselves, once they know the caller.
        bodyParser: false,
      },
    );
    const close = app.close.bind(app);
    app.close = () => close().finally(() => logs.close());
    return app;
  } catch (error) {
    logs.close();
    throw error;
  }
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the server listens on no port');
  return address.port;
}

function listeningLine(server: Server, config: Readonly<AppConfig>): string {
  const { address, family } = server.address() as AddressInfo;
  const host = family === 'IPv6' ? `[${address}]` : address;
  const port = portOf(server);
  const where = `listening on ${host}:${port}`;
  const isHere = isLoopback(address) || address === '0.0.0.0' || address === '::';
  const page = config.page ? '/' : config.docs ? '/docs' : undefined;
  const base = config.notification.publicUrl ?? `http://${isHere ? 'localhost' : host}:${port}`;
  const open = page === undefined ? '' : `. Open ${base}${page}`;
  if (!config.openByDefault || !isLoopback(address)) return where + open;
  return `${where}, for this machine only: WEBSOCKET_AUTH=jwt opens it to others in secure mode, WEBSOCKET_AUTH=none to everybody${open}`;
}

function listen(server: Server, { host, port }: Readonly<AppConfig>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      if (ADDRESS_ERRORS.has(error.code)) {
        reject(new ConfigurationError(`WEBSOCKET_HOST is "${host}", which cannot be listened on (${code})`));
        return;
      }
      const reason = code === 'EADDRINUSE' ? 'is taken by another process' : `cannot be listened on (${code})`;
      reject(new ConfigurationError(`WEBSOCKET_PORT: ${host}:${port} ${reason}`));
    });
    server.listen({ host, port, backlog: LISTEN_BACKLOG }, resolve);
  });
}
