import { Test } from '@nestjs/testing';
import { Human, World } from 'websocket-manager/testing';
import { DeployService, DeploysModule } from './deploys.module';

const world = new World(() => Test.createTestingModule({ imports: [DeploysModule] }));
afterEach(() => world.close());

it('deploys what its user approves', async () => {
  const app = await world.start();
  const ann = await Human.of(app, 'ann');
  const deploy = app.get(DeployService).deploy('ann', '42');
  await ann.answersNext({ proceed: true });
  expect(await deploy).toBe('build 42 is deployed');
});

it('deploys nothing when nobody answers within an hour', async () => {
  const app = await world.start();
  const deploy = app.get(DeployService).deploy('ann', '43');
  await world.clock.advance('1h');
  expect(await deploy).toBe('build 43 is not deployed: timed_out');
});
