/**
 * A BullMQ worker in a process of its own whose jobs ask users and wait, over crashes of any of them. With Redis on its
 * default port, and compiled by `npm run build:test`:
 *
 *   WEBSOCKET_ENGINE=redis WEBSOCKET_REDIS_URL=redis://127.0.0.1:6379 npm start   the service, to which users connect
 *   node .build/examples/bullmq/main.js                                           a worker; start as many as you like
 *   node .build/examples/bullmq/enqueue.js ann 1.4.0                              a job that asks ann
 */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { WorkerModule } from './worker.module.js';

const app = await NestFactory.createApplicationContext(WorkerModule);
app.enableShutdownHooks();
