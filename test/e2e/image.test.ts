/** The health check of the image, run against a real service. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { startService, type TestService } from '../support/service.js';

/** The command as the container engine reads it from the Dockerfile. */
function healthCheck(): [string, ...string[]] {
  const dockerfile = readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8').replaceAll('\\\n', ' ');
  const command = /^HEALTHCHECK .*? CMD (\[.*\])$/m.exec(dockerfile)?.[1];
  return JSON.parse(command ?? '[]') as [string, ...string[]];
}

async function exitCode(environment: Record<string, string>): Promise<number> {
  const [command, ...args] = healthCheck();
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: 'ignore',
    timeout: 10_000,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? -1;
}

describe('the health check of the image', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it('asks the port of WEBSOCKET_PORT, else that of PORT', async () => {
    const port = String(service.port);
    expect(await exitCode({ PORT: port })).toBe(0);
    expect(await exitCode({ WEBSOCKET_PORT: port, PORT: '1' })).toBe(0);
    expect(await exitCode({ WEBSOCKET_PORT: '', PORT: port })).toBe(0);
  });

  it('fails when nothing listens there', async () => {
    expect(await exitCode({ PORT: '1' })).toBeGreaterThan(0);
  });
});
