/** `clients/python` against the real service: a user who answers over a bad network, and a worker who asks. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from '../support/child-program.js';
import { startService, type TestService } from '../support/service.js';
import { findBinary, requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const FOLDER = fileURLToPath(new URL('../../../clients/python/', import.meta.url));
/** That of the system, for which `python3-websockets` is installed: the one beside celery. */
const PYTHON = `${dirname(findBinary('celery') ?? '/usr/bin/celery')}/python3`;
const PATIENCE_MS = 60_000;
/** Prints what it is asked, and answers a moment after the line on its standard output. */
const USER = `
import asyncio, sys
from websocket_manager.client import AlreadyResolved, Client
async def main():
    got = []
    def on_news(message):
        got.append(message["number"])
        print("got", *got, flush=True)
    async with Client(sys.argv[1], user_id="pia") as client:
        client.on("news", on_news)
        client.on("letter", lambda message: print("letter", flush=True))
        await client.subscribe("news")
        print("subscribed", flush=True)
        async for confirmation in client.confirmations():
            print("asked", confirmation["message"], flush=True)
            await asyncio.sleep(0.3)
            try:
                await client.answer(confirmation["callback_id"], proceed=True, feedback="from Python")
                print("answered", confirmation["message"], flush=True)
            except AlreadyResolved as error:
                print("decided", error.decision["state"], flush=True)
asyncio.run(main())
`;

requireBinary('celery')('the Python client', () => {
  let service: TestService;
  let proxy: TcpProxy;
  let user: Program;
  const run = (code: string, ...args: string[]): Program =>
    Program.start(PYTHON, ['-c', code, ...args], {
      PATH: process.env.PATH ?? '',
      PYTHONPATH: FOLDER,
      PYTHONDONTWRITEBYTECODE: '1',
    });

  beforeAll(async () => {
    service = await startService();
    proxy = await TcpProxy.start({ port: service.port });
    user = run(USER, `ws://127.0.0.1:${proxy.port}/ws`);
    await user.says('subscribed');
  }, PATIENCE_MS);
  afterAll(async () => {
    await user.stop('SIGKILL');
    await proxy.close();
    await service.stop();
  });

  it(
    'passes the tests of its own',
    async () => {
      const tests = ['-m', 'unittest', 'discover', '-s', `${FOLDER}tests`];
      const environment = { PATH: process.env.PATH ?? '', PYTHONPATH: FOLDER, PYTHONDONTWRITEBYTECODE: '1' };
      await Program.run(PYTHON, tests, environment);
    },
    PATIENCE_MS,
  );

  it(
    'answers, also a confirmation whose answer meets a broken connection',
    async () => {
      const first = await service.notifications.notifyUser({ message: 'one' }, 'pia', 'task', 1);
      expect(first).toMatchObject({ outcome: 'answered', proceed: true, feedback: 'from Python', answeredBy: 'pia' });
      const asked = service.notifications.notifyUser({ message: 'two' }, 'pia', 'task', 2);
      await user.says('asked two');
      await proxy.refuse();
      proxy.cut();
      await new Promise((resolve) => setTimeout(resolve, 500)); // it has answered meanwhile, offline
      await proxy.resume();
      expect(await asked).toMatchObject({ outcome: 'answered', proceed: true });
      await user.says('answered two');
    },
    PATIENCE_MS,
  );

  it(
    'misses no message while its connection breaks, and acknowledges what its handler has had',
    async () => {
      for (let number = 1; number <= 9; number += 1) {
        await service.notifications.publish('news', { type: 'news', number });
        if (number % 3 === 0) proxy.cut();
      }
      await user.says('got 1 2 3 4 5 6 7 8 9');
      const letter = await service.notifications.sendToUser(
        'pia',
        { type: 'letter' },
        { requiresAck: true, ackTimeoutMs: 15_000 },
      );
      expect(letter.acknowledged).toBe(true);
    },
    PATIENCE_MS,
  );

  it(
    'asks as its page shows, with a key that finds the decision again',
    async () => {
      const readme = await readFile(`${FOLDER}/README.md`, 'utf8');
      const [worker = ''] = /(?<=```python\n)[^`]*/.exec(readme) ?? [];
      const code = worker.replaceAll('http://127.0.0.1:8765', service.url).replaceAll('"ann"', '"pia"');
      await Program.run(PYTHON, ['-c', `${code}\nprint(decision)`], { PYTHONPATH: FOLDER, PATH: process.env.PATH ?? '' });
      const again = run(`${code}\nprint(decision["state"], decision["feedback"])`);
      await again.says('answered from Python');
      await again.ended;
      expect(await service.notifications.getTask('deploy-42')).toMatchObject({ cancelled: false });
    },
    PATIENCE_MS,
  );

  it(
    'stops at a close code that says not to come back, as its page shows',
    async () => {
      const readme = await readFile(`${FOLDER}/README.md`, 'utf8');
      const code = readme.split('```python\n').at(-1)?.split('```')[0] ?? '';
      const page = run(code.replaceAll('ws://127.0.0.1:8765', service.wsUrl).replaceAll('"ann"', '"kim"'));
      expect(await service.notifications.notifyUser({ message: 'kim?' }, 'kim', 'kim', 1)).toMatchObject({ proceed: true });
      for (let more = 0; more < 20; more += 1) await service.connectAs('kim');
      expect(await page.ended).toMatchObject({ code: 0 });
    },
    PATIENCE_MS,
  );
});
