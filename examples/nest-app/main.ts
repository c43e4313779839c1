/** Importing the module is enough: it installs its WebSocket adapter by itself. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { ExampleAppModule } from './app.module.js';

const app = await NestFactory.create(ExampleAppModule);
app.enableShutdownHooks();
await app.listen(3000);
