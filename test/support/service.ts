/** The real stand-alone service in the test's own process, on a free port, with a data folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { portOf, startApp } from '../../src/app/app.js';
import { readConfig } from '../../src/app/app.config.js';
import { NotificationService, ServiceClosedError, type NotificationOptions } from '../../src/notification/index.js';
import { TestClient } from './client.js';

export interface TestService {
  app: INestApplication;
  notifications: NotificationService;
  port: number;
  dataDir: string;
  url: string;
  wsUrl: string;
  connect(options?: Parameters<typeof TestClient.connect>[1], path?: string): Promise<TestClient>;
  /** Connects and says who it is. */
  connectAs(userId: string): Promise<TestClient>;
  /** `notifyUser` for tests that do not wait for the answer: the end of the service is no fault. */
  ask(...question: Parameters<NotificationService['notifyUser']>): void;
  /** A REST call with a JSON body. */
  rest(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }>;
  stop(): Promise<void>;
}

export interface ServiceSettings {
  environment?: Record<string, string>;
  options?: NotificationOptions;
  /** Keep the folder, to start again on it. */
  dataDir?: string;
}

export async function startService({ environment = {}, options = {}, dataDir }: ServiceSettings = {}): Promise<TestService> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'notifications-')));
  const config = readConfig({
    WEBSOCKET_HOST: '127.0.0.1',
    WEBSOCKET_PORT: '0',
    WEBSOCKET_DATA_DIR: folder,
    WEBSOCKET_LOG_LEVEL: 'fatal',
    WEBSOCKET_DRAIN_TIMEOUT: '0',
    ...environment,
  });
  const app = await startApp({ ...config, notification: { ...config.notification, ...options } });
  const port = portOf(app.getHttpServer() as Server);
  const url = `http://127.0.0.1:${port}`;
  const wsUrl = `ws://127.0.0.1:${port}`;
  const clients: TestClient[] = [];
  const connect: TestService['connect'] = async (clientOptions, path = '/ws') => {
    const client = await TestClient.connect(wsUrl + path, clientOptions);
    clients.push(client);
    return client;
  };
  return {
    app,
    notifications: app.get(NotificationService),
    port,
    dataDir: folder,
    url,
    wsUrl,
    connect,
    connectAs: async (userId) => {
      const client = await connect();
      await client.request({ action: 'subscribe', user_id: userId });
      return client;
    },
    ask: (...question) => {
      app
        .get(NotificationService)
        .notifyUser(...question)
        .catch((error: unknown) => {
          if (!(error instanceof ServiceClosedError)) throw error;
        });
    },
    rest: async (method, path, body, headers = {}) => {
      const response = await fetch(url + path, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') ?? false;
      return {
        status: response.status,
        body: (isJson ? JSON.parse(text) : { text }) as Record<string, unknown>,
        headers: response.headers,
      };
    },
    stop: async () => {
      for (const client of clients) client.socket.terminate();
      await app.close();
      if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
