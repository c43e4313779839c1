/** A host's test that fakes time and uses real sockets in the same process. */
import { Module, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Server } from 'node:http';
import { portOf } from '../../src/app/app.js';
import { NotificationModule, NotificationService } from '../../src/notification/index.js';
import { TestClient } from '../support/client.js';

@Module({ imports: [NotificationModule.forRoot({ dataDir: ':memory:', drainTimeoutMs: 0 })] })
class AppModule {}

const { jest } = import.meta;

let app: INestApplication;
let address: string;
beforeEach(async () => {
  app = (await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication();
  app.useLogger(false);
  await app.listen(0, '127.0.0.1');
  address = `127.0.0.1:${portOf(app.getHttpServer() as Server)}`;
});
afterEach(async () => {
  jest.useRealTimers();
  await app.close();
});

async function connect(): Promise<TestClient> {
  const client = await TestClient.connect(`ws://${address}/ws`);
  await client.request({ action: 'subscribe', user_id: 'ann' });
  return client;
}

async function askAndAnswer(client: TestClient): Promise<void> {
  const asked = app.get(NotificationService).notifyUser({ message: 'Deploy?' }, 'ann', 'deploy', 1);
  const { callback_id: callbackId } = await client.next('task_step_result');
  await client.request({ action: 'confirm', callback_id: callbackId, proceed: true });
  expect(await asked).toMatchObject({ outcome: 'answered', proceed: true });
  expect((await fetch(`http://${address}/ws/status`)).status).toBe(200);
  expect((await fetch(`http://${address}/nowhere`)).status).toBe(404);
}

describe('the module under fake timers', () => {
  it('serves connections that are made after all timers were faked', async () => {
    jest.useFakeTimers();
    expect(setImmediate).toHaveProperty('clock');
    await askAndAnswer(await connect());
  });

  it('goes on serving a connection when timers are faked later, except those that `ws` uses itself', async () => {
    const client = await connect();
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
    expect(setTimeout).toHaveProperty('clock');
    await askAndAnswer(client);
  });
});
