/** The OpenAPI document, made from the decorators of the compiled routes and bodies. Nothing is started for it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NestFactory } from '@nestjs/core';
import * as swagger from '@nestjs/swagger';
import { ROOT } from './tools.mjs';

/**
 * @param folder where the compiled service is, relative to the project
 * @param version of the service
 */
export async function openApi(folder, version) {
  const load = (path) => import(pathToFileURL(join(ROOT, folder, path)));
  const { AppModule } = await load('app.module.js');
  const { readConfig } = await load('app/app.config.js');
  const { applyApiDocs } = await load('notification/service-door.js');
  applyApiDocs(swagger);
  const description = new swagger.DocumentBuilder()
    .setTitle('WebSocketManager')
    .setDescription(
      'Asks users, waits for their answers, delivers messages. The WebSocket side is described by the AsyncAPI document, `docs/asyncapi.json`.',
    )
    .setVersion(version)
    .addTag('confirmations', 'Asking users')
    .addTag('messages', 'Messages, presence, inbox')
    .addTag('tasks', 'Progress, heartbeats, cancellation')
    .addTag('operations', 'Health and metrics; health is open to everybody')
    .addApiKey(
      { type: 'apiKey', name: 'X-API-Key', in: 'header', description: 'A service’s key. Open mode needs none.' },
      'api-key',
    )
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      description: 'A service’s key or token, or a user’s own token for what is theirs.',
    })
    .build();
  // A preview has every module and route, and makes no provider.
  const app = await NestFactory.create(AppModule.forConfig(readConfig({}), {}), { preview: true, logger: false });
  return swagger.SwaggerModule.createDocument(app, description, { operationIdFactory });
}

/** `NodeHealthController`, `live` -> `healthLive`. */
function operationIdFactory(controller, method) {
  const subject = controller.replace(/^Node/, '').replace(/Controller$/, '');
  return `${subject[0].toLowerCase()}${subject.slice(1)}${method[0].toUpperCase()}${method.slice(1)}`;
}
