/** Nest with its stock adapter for WebSockets, and a `ValidationPipe`, as its documentation sets it up. Without TypeScript. */
import 'reflect-metadata';
import { Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { IsInt, IsOptional } from 'class-validator';
import { compete } from '../harness/contest.mjs';

class PingDto {}
IsOptional()(PingDto.prototype, 'n');
IsInt()(PingDto.prototype, 'n');

class PingGateway {
  onPing(frame) {
    return { event: 'pong', data: { timestamp: Date.now() / 1000, original_data: frame } };
  }
}
const { prototype } = PingGateway;
WebSocketGateway({ path: '/ws' })(PingGateway);
Reflect.defineMetadata('design:paramtypes', [PingDto], prototype, 'onPing');
MessageBody()(prototype, 'onPing', 0);
SubscribeMessage('ping')(prototype, 'onPing', Object.getOwnPropertyDescriptor(prototype, 'onPing'));

class AppModule {}
Module({ providers: [PingGateway] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
app.useWebSocketAdapter(new WsAdapter(app));
app.useGlobalPipes(new ValidationPipe({ transform: true }));
await app.listen(Number(process.env.PORT), '127.0.0.1');

compete({});
