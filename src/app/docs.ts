/** OpenAPI at `/docs` (the page) and `/docs-json` (the document). */
import type { INestApplication } from '@nestjs/common';
import { applyApiDocs } from '../notification/service-door.js';

export async function serveDocs(app: INestApplication): Promise<void> {
  const swagger = await import('@nestjs/swagger');
  const { DocumentBuilder, SwaggerModule } = swagger;
  applyApiDocs(swagger);
  const description = new DocumentBuilder()
    .setTitle('WebSocketManager')
    .setDescription('Asks users, waits for their answers, delivers messages. The WebSocket side is described in PROTOCOL.md.')
    .setVersion('1')
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
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description));
}
