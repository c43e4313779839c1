import assert from 'node:assert/strict';
import { afterEach, it } from 'node:test';
import { Test } from '@nestjs/testing';
import { Human, World } from 'websocket-manager/testing';
import { DeployController, DeploysModule } from './deploys.module.js';

const world = new World(() => Test.createTestingModule({ imports: [DeploysModule] }));
afterEach(() => world.close());

it('deploys what its user approves', async () => {
  const app = await world.start();
  const ann = await Human.of(app, 'ann');
  const deploy = app.get(DeployController).deploy('42');
  await ann.answersNext({ proceed: true });
  assert.equal(await deploy, 'build 42 is deployed');
});
