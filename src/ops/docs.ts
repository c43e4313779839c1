/** OpenAPI at `/docs` (the page) and `/docs-json` (the document). */
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

export function serveDocs(app: INestApplication): void {
  const description = new DocumentBuilder()
    .setTitle('WebSocketManager')
    .setDescription('Asks users, waits for their answers, delivers messages. The WebSocket side is described in PROTOCOL.md.')
    .setVersion('1')
    .addApiKey({ type: 'apiKey', name: 'X-API-Key', in: 'header' }, 'api-key')
    .addBearerAuth()
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description));
}
