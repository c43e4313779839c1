/** Executes every code block of the README and of `docs/`. A block that is not executed says `output` or `text`. */
import { execFile } from 'node:child_process';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { Webhook } from 'standardwebhooks';
import { readConfig } from '../../src/app/app.config.js';
import { CheckedSocket } from '../support/checked-socket.js';
import { codeBlocks, type CodeBlock } from '../support/code-blocks.js';
import { SECRET } from '../support/jwt.js';
import { startProcess } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';

const run = promisify(execFile);
const blocks = codeBlocks();
const of = (language: string, mark: string): CodeBlock[] =>
  blocks.filter((block) => block.language === language && block.mark === mark);
const titled = (list: CodeBlock[]): [title: string, block: CodeBlock][] =>
  list.map((block, index) => [`${block.file}, ${index + 1}`, block]);

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** The block with the address of this test's service in it. */
const here = (code: string): string => code.replaceAll('localhost:8765', `127.0.0.1:${service.port}`);

it('finds a way to execute every code block of the documents', () => {
  const known = ['ts', 'ts fragment', 'js', 'js verify', 'js token', 'json body', 'json output', 'text'];
  known.push('sh', 'sh conversation', 'sh example', 'sh settings', 'js tracing');
  for (const { file, language, mark, code } of blocks)
    expect([file, code.slice(0, 40), known]).toEqual([
      file,
      code.slice(0, 40),
      expect.arrayContaining([mark === '' ? language : `${language} ${mark}`]),
    ]);
});

/** The interfaces of PROTOCOL.md as one module. */
function typesOfProtocolPage(): string {
  const page = readFileSync('PROTOCOL.md', 'utf8');
  const code = [...page.matchAll(/^```typescript\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block).join('');
  return code.replaceAll(/^interface/gm, 'export interface');
}

/** Does not compile where an interface of PROTOCOL.md and its type in `src/protocol` differ in a field or a field's type. */
function typesThatMustAgree(): string {
  const names = ['TaskStepResult', 'ConfirmationResolved', 'ConfirmationExpiring', 'Heartbeat', 'Recovered'];
  names.push('ErrorMessage', 'SubscriptionEnded', 'ConfirmationDismissed');
  const checks = names.map(
    (name) => `export type ${name} = Agree<Page.${name}, Wire.${name}, keyof Wire.${name}, keyof Page.${name}>;`,
  );
  return [
    "import type * as Page from './protocol-page.js';",
    "import type * as Wire from '../../src/protocol/messages.js';",
    'type Agree<P, W extends P, WireKeys extends keyof P, PageKeys extends keyof W> = [P, W, WireKeys, PageKeys];',
    ...checks,
  ].join('\n');
}

it('compiles the TypeScript of the documents against the package', async () => {
  const folder = mkdtempSync(join('.build', 'documents-'));
  try {
    const prelude =
      "import type { NotificationService } from 'websocket-manager';\n" +
      'declare const notifications: NotificationService;\n' +
      "declare const [stepResult, userId, taskId, step]: Parameters<NotificationService['notifyUser']>;\n";
    const texts = [...of('ts', '').map(({ code }) => code), ...of('ts', 'fragment').map(({ code }) => prelude + code)];
    expect(texts.length).toBeGreaterThan(1);
    writeFileSync(join(folder, 'protocol-page.ts'), typesOfProtocolPage());
    writeFileSync(join(folder, 'protocol-check.ts'), typesThatMustAgree());
    texts.forEach((text, index) => writeFileSync(join(folder, `block-${index}.ts`), `${text}\nexport {};\n`));
    const options = { noEmit: true, incremental: false, noUnusedLocals: false, rootDir: '../..' };
    const paths = { 'websocket-manager': ['../../src/notification/index.ts'] };
    const compilerOptions = { ...options, tsBuildInfoFile: null, types: ['node'], paths };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'], exclude: [] }),
    );
    const compiled = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder]).catch((error: unknown) => ({
      stdout: String((error as { stdout?: string }).stdout ?? error),
    }));
    expect(compiled.stdout).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

it('asks with the README’s command, and answers with the README’s lines for the browser', async () => {
  const [page] = of('js', '');
  const command = of('sh', '').find(({ file, code }) => file === 'README.md' && code.startsWith('curl'));
  const shown: unknown[] = [];
  const sockets: CheckedSocket[] = [];
  class PageSocket extends CheckedSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  const confirm = (message: string): boolean => message === 'Deploy build 42?';
  const browser = createContext({ WebSocket: PageSocket, confirm, console: { log: (one: unknown) => shown.push(one) } });
  runInContext(here(page?.code ?? ''), browser);
  const { stdout } = await run('bash', ['-c', here(command?.code ?? '')]);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'answered', proceed: true, answered_by: 'ann', via: 'websocket' });
  expect(shown).toContainEqual(expect.objectContaining({ type: 'task_step_result', step_name: 'deploy' }));
  const again = await run('bash', ['-c', here(command?.code ?? '')]);
  expect(JSON.parse(again.stdout)).toMatchObject({ state: 'answered', proceed: true });
  for (const socket of sockets) socket.close();
});

it.each(titled(of('sh', '')).filter(([, { code }]) => !code.startsWith('curl')))(
  'knows every npm script that %s names',
  (_title, { code }) => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const commands = code.split('\n').filter((line) => line !== '');
    for (const command of commands) {
      const [, name = command] = /^npm (?:run )?([\w:]+)/.exec(command) ?? [];
      expect(Object.keys(scripts)).toContain(name);
    }
  },
);

/** `# <status>` and the command that gets it. */
function exchanges(code: string): { status: number; command: string }[] {
  return [...code.matchAll(/^# (\d{3}).*\n((?:[^#].*\n)+)/gm)].map(([, status, command = '']) => ({
    status: Number(status),
    command: command.trim(),
  }));
}

it.each(titled(of('sh', 'conversation')))('gets from the service what %s says', async (_title, { code }) => {
  let callbackId = '';
  const steps = exchanges(code);
  expect(steps.length).toBe(code.split('\n').filter((line) => line.startsWith('#')).length);
  for (const { status, command } of steps) {
    const env = { ...process.env, CALLBACK_ID: callbackId };
    const { stdout } = await run('bash', ['-c', `${here(command)} -w '\\n%{http_code}'`], { env });
    const [answer = '', code_ = ''] = stdout.split(/\n(?=\d{3}$)/);
    expect({ command, status: Number(code_) }).toEqual({ command, status });
    if (answer.includes('"callback_id"') && callbackId === '')
      callbackId = (JSON.parse(answer) as { callback_id: string }).callback_id;
  }
});

it.each(titled(of('sh', 'settings')))('starts with the settings of %s', async (_title, { code }) => {
  const { stdout } = await run('bash', ['-c', `${code}\nenv`]);
  const lines = stdout.split('\n').filter((line) => line.startsWith('WEBSOCKET_'));
  expect(lines.length).toBeGreaterThan(0);
  const environment = Object.fromEntries(lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
  expect(readConfig(environment as Record<string, string>).warnings).toEqual([]);
});

it.each(titled(of('sh', 'example')))('finds every file that the commands of %s start', (_title, { code }) => {
  const folder = /cd (\S+)/.exec(code)?.[1] ?? '.';
  const started = [...code.matchAll(/(?:node|python3) (\S+\.(?:js|py))/g)].map(([, name = '']) => name);
  expect(started.length).toBeGreaterThan(0);
  for (const name of started)
    expect([name, existsSync(join(folder, name.replace(/^\.build\//, '').replace(/\.js$/, '.ts')))]).toEqual([name, true]);
});

it('accepts genuine webhook events and refuses forged ones with the lines of docs/webhooks.md', () => {
  const [block] = of('js', 'verify');
  const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const body = '{"type":"confirmation.answered"}';
  const now = new Date();
  const signature = new Webhook(secret).sign('msg_1', now, body);
  const isGenuine = (given: string): unknown => {
    const at = String(Math.floor(now.getTime() / 1000));
    const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': at, 'webhook-signature': signature };
    const scope = createContext({ request: { headers }, secret, body: given, createHmac, timingSafeEqual, Buffer, Date, Math });
    return runInContext(`${block?.code ?? ''}; genuine`, scope);
  };
  expect(isGenuine(body)).toBe(true);
  expect(isGenuine(`${body} `)).toBe(false);
});

it('accepts the token that docs/security.md makes, and the body that docs/webhooks.md shows', async () => {
  const secure = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: SECRET } });
  try {
    const [block] = of('js', 'token');
    const env = { ...process.env, WEBSOCKET_JWT_SECRET: SECRET };
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', block?.code ?? ''], { env });
    const presence = await secure.rest('GET', '/ws/users/ann', undefined, { authorization: `Bearer ${stdout.trim()}` });
    expect(presence.status).toBe(200);
  } finally {
    await secure.stop();
  }
  const question = { user_id: 'ann', task_id: 'deploy', step: 9, step_result: { message: 'Go?' } };
  const opened = await service.rest('POST', '/ws/confirmations', question);
  const [body] = of('json', 'body');
  const path = `/ws/confirmations/${String(opened.body['callback_id'])}/answer`;
  const answered = await service.rest('POST', path, JSON.parse(body?.code ?? '') as unknown);
  expect([answered.status, answered.body]).toEqual([200, expect.objectContaining({ answered_by: 'ann', via: 'slack' })]);
});

it('records spans in the stand-alone service with the lines of docs/traces.md', async () => {
  const [block] = of('js', 'tracing');
  const file = join('.build', 'tracing.mjs');
  writeFileSync(file, block?.code ?? '');
  const traced = await startProcess({ NODE_OPTIONS: `--import ./${file}`, OTEL_BSP_SCHEDULE_DELAY: '50' });
  try {
    const spans = new Promise<string>((resolve) => {
      let output = '';
      traced.child.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes("name: 'create confirmations'")) resolve(output);
      });
    });
    const { status } = await fetch(`${traced.url}/ws/confirmations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
      body: JSON.stringify({ user_id: 'ann', task_id: 'deploy', step: 1, step_result: { message: 'Go?' } }),
    });
    expect(status).toBe(201);
    expect(await spans).toContain("traceId: '4bf92f3577b34da6a3ce929d0e0e4736'");
  } finally {
    await traced.stop();
    rmSync(file);
  }
});

it('keeps the README at 120 lines or less, and every link of the documents leads somewhere', () => {
  expect(readFileSync('README.md', 'utf8').split('\n').length).toBeLessThanOrEqual(121);
  for (const file of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'PROTOCOL.md', ...blocks.map((block) => block.file)]) {
    const links = [...readFileSync(file, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => !existsSync(join(file, '..', link)));
    expect([file, broken]).toEqual([file, []]);
  }
});
