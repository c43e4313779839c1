/** How an application tests its own questions: no port, no file, no thread, and time that passes when the test says so. */
import { Test } from '@nestjs/testing';
import { Human, World } from '../../src/testing/index.js';
import { ExampleAppModule } from './app.module.js';
import { TaskService } from './task.service.js';

const world = new World(() => Test.createTestingModule({ imports: [ExampleAppModule] }));
afterEach(() => world.close());

it('publishes a draft that its user approves', async () => {
  const app = await world.start();
  const alice = await Human.of(app, 'alice');
  const report = app.get(TaskService).run('alice', 'task-1');
  await alice.answersNext({ proceed: true, feedback: 'nice' });
  expect(await report).toEqual({ taskId: 'task-1', status: 'published', feedback: 'nice' });
});

it('rejects a draft after an hour without an answer', async () => {
  const app = await world.start();
  const report = app.get(TaskService).run('alice', 'task-1');
  await (await Human.of(app, 'alice')).ignores();
  await world.clock.advance('1h');
  expect(await report).toMatchObject({ status: 'rejected' });
});
