/** The line that a host app adds is the adapter's. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { NotificationWsAdapter } from '../../src/notification/index.js';
import { ExampleAppModule } from './app.module.js';

const app = await NestFactory.create(ExampleAppModule);
app.useWebSocketAdapter(new NotificationWsAdapter(app));
app.enableShutdownHooks();
await app.listen(3000);
