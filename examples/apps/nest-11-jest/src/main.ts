/** The app's own pipes reach the app's routes, not the actions and routes of the module. */
import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DeploysModule } from './deploys.module';

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(DeploysModule);
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000);
}
void bootstrap();
