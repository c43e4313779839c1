/** `/docs/openapi.json`: every route, field, header and error is described, and what is described is what happens. */
import { readdirSync, readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { getMetadataStorage } from 'class-validator';
import { ERROR_STATUS } from '../../src/protocol/codes.js';
import type { ConfirmationView, TaskStepResult } from '../../src/protocol/messages.js';
import { AnswerDto } from '../../src/notification/http/dto/answer.dto.js';
import { CancelTaskDto } from '../../src/notification/http/dto/cancel-task.dto.js';
import { ChoiceDto } from '../../src/notification/http/dto/choice.dto.js';
import { InboxQueryDto } from '../../src/notification/http/dto/inbox-query.dto.js';
import { LeaseHeartbeatDto } from '../../src/notification/http/dto/lease-heartbeat.dto.js';
import { OpenConfirmationDto } from '../../src/notification/http/dto/open-confirmation.dto.js';
import { StepResultDto } from '../../src/notification/http/dto/step-result.dto.js';
import { SendQueryDto, WaitQueryDto } from '../../src/notification/http/dto/wait-query.dto.js';
import { startService, type TestService } from '../support/service.js';

interface Schema {
  properties?: Record<string, { description?: string }>;
  required?: string[];
}
interface Operation {
  summary?: string;
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  security?: object[];
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, object> };
}

/** Every field of the protocol's types: the compiler refuses a list with one too few. */
const VIEW: Record<keyof ConfirmationView, true> = {
  callback_id: true,
  state: true,
  user_id: true,
  task_id: true,
  step: true,
  expires_at: true,
  seen_at: true,
  dismissed_until: true,
  proceed: true,
  feedback: true,
  choice: true,
  values: true,
  edited: true,
  answered_by: true,
  answered_at: true,
  via: true,
};
const SHOWN: Record<Exclude<keyof TaskStepResult, keyof ConfirmationView | 'type' | 'redelivered'>, true> = {
  step_name: true,
  message: true,
  result: true,
  status: true,
  completed: true,
  error_code: true,
  error_message: true,
  timestamp: true,
  default: true,
  title: true,
  metadata: true,
  choices: true,
  input_schema: true,
  risk: true,
  proposal: true,
  editable: true,
  digest: true,
  traceparent: true,
};

interface Layer {
  route?: { path: string; methods: Record<string, boolean> };
}

let service: TestService;
let document: Document;
let ajv: Ajv;
beforeAll(async () => {
  service = await startService();
  document = (await service.rest('GET', '/docs/openapi.json')).body as unknown as Document;
  ajv = formats.default(new Ajv({ strict: false, allErrors: true }));
  ajv.addSchema({ $id: 'docs', components: asJsonSchema(document.components) });
});
afterAll(() => service.stop());

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation]),
  );

/** OpenAPI 3.0 has its own way of saying "more than". */
function asJsonSchema(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('exclusiveMinimum' in value) || !('minimum' in value)) return value;
    const { minimum, ...rest } = value;
    return { ...rest, exclusiveMinimum: minimum };
  }) as object;
}

/** A schema of the document, with its references looked up in it. */
function compile(schema: object): ValidateFunction {
  return ajv.compile(JSON.parse(JSON.stringify(asJsonSchema(schema)).replaceAll('#/components', 'docs#/components')) as object);
}

function operationOf(method: string, path: string): Operation {
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`${method} ${path} is not described`);
  return operation;
}

/** The fields that class-validator knows of a class, inherited ones included. */
function checkedFields(type: new () => object): string[] {
  const checks = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  return [...new Set(checks.map(({ propertyName }) => propertyName))].sort();
}

/** The routes that Express really has. */
function servedRoutes(): string[] {
  const { router } = service.app.getHttpAdapter().getInstance() as { router: { stack: Layer[] } };
  return router.stack.flatMap(({ route }) =>
    route
      ? Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`)
      : [],
  );
}

describe('the OpenAPI document', () => {
  it('is valid by the schema of OpenAPI', async () => {
    const copy = { ...structuredClone(document) };
    expect(await new Validator().validate(copy)).toEqual({ valid: true });
  });

  it('describes each route that the service has, and no other', () => {
    const served = servedRoutes().filter((route) => !/^GET \/(docs|llms\.txt)/.test(route));
    expect(served.length).toBeGreaterThan(20);
    expect(served.sort()).toEqual(
      operations()
        .map(([name]) => name)
        .sort(),
    );
  });

  it('is served at the addresses that @nestjs/swagger gave it', async () => {
    for (const path of ['/docs-json', '/docs-yaml']) expect((await service.rest('GET', path)).body).toEqual(document);
  });

  it('stands on a page that loads nothing and has no script', async () => {
    const { body, headers } = await service.rest('GET', '/docs');
    const page = String(body['text']);
    for (const [name] of operations()) {
      const [method = '', path = ''] = name.split(' ');
      expect(page).toContain(`<code>${method} ${path}</code>`);
    }
    expect(page).not.toMatch(/<script|<link|<img|\son\w+=|javascript:/i);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-[^']{44}';/);
    const anchors = [...page.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id);
    for (const id of anchors) expect(page).toContain(` id="${id}"`);
  });

  it('describes every route in words, with what it answers', () => {
    for (const [name, { summary, responses }] of operations()) {
      expect([name, summary]).toEqual([name, expect.stringMatching(/^[A-Z]/)]);
      const success = Object.keys(responses).filter((status) => status.startsWith('2'));
      expect([name, success.length]).toEqual([name, expect.any(Number)]);
      for (const status of success) {
        if (status === '204') continue;
        const contents = responses[status]?.content ?? {};
        const types = name === 'GET /metrics' ? ['application/openmetrics-text', 'text/plain'] : [expect.any(String)];
        expect([name, Object.keys(contents).sort()]).toEqual([name, types]);
        for (const { schema } of Object.values(contents)) expect([name, schema]).toEqual([name, expect.any(Object)]);
      }
    }
  });

  it('describes on every guarded route the errors with their codes, and how to authenticate', () => {
    const guarded = operations().filter(([name]) => name.includes(' /ws/') && !name.endsWith('/ws/health'));
    expect(guarded.length).toBeGreaterThan(15);
    for (const [name, { responses, security }] of guarded) {
      expect([name, security]).toEqual([name, [{ 'api-key': [] }, { bearer: [] }]]);
      for (const status of ['400', '401', '403', '429', '500', '503']) {
        const described = responses[status];
        expect([name, status, described?.content]).toEqual([
          name,
          status,
          { 'application/json': { schema: { $ref: '#/components/schemas/ErrorResponse' } } },
        ]);
        for (const code of described?.description.split(', ') ?? [])
          expect(String(ERROR_STATUS[code as keyof typeof ERROR_STATUS])).toBe(status);
      }
    }
    for (const name of Object.keys(document.paths).filter((path) => path.includes('health')))
      expect(operationOf('GET', name).security).toBeUndefined();
  });

  it.each([AnswerDto, CancelTaskDto, ChoiceDto, LeaseHeartbeatDto, OpenConfirmationDto, StepResultDto])(
    'describes every field of %p',
    (type) => {
      const { name } = type;
      const { properties = {}, required = [] } = document.components.schemas[name] ?? {};
      const fields = checkedFields(type);
      expect(Object.keys(properties)).toEqual(expect.arrayContaining(fields));
      for (const [field, { description }] of Object.entries(properties))
        expect([field, description]).toEqual([field, expect.stringMatching(/\.$/)]);
      for (const field of required) expect(fields).toContain(field);
    },
  );

  it.each([
    ['WaitQueryDto', WaitQueryDto, 'GET', '/ws/confirmations/{callback_id}'],
    ['SendQueryDto', SendQueryDto, 'POST', '/ws/users/{user_id}/messages'],
    ['InboxQueryDto', InboxQueryDto, 'GET', '/ws/users/{user_id}/confirmations'],
  ] as const)('describes every field of %s', (_name, type, method, path) => {
    const queries = (operationOf(method, path).parameters ?? []).filter((parameter) => parameter.in === 'query');
    expect(queries.map(({ name }) => name).sort()).toEqual(checkedFields(type));
    for (const { description, required, schema } of queries) {
      expect([description, required]).toEqual([expect.any(String), false]);
      expect(schema).toMatchObject({ type: expect.stringMatching(/^(string|number|integer|boolean)$/) });
    }
  });

  it('names the header that makes a repetition safe, and every path parameter', () => {
    expect(operationOf('POST', '/ws/confirmations').parameters).toContainEqual(
      expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: false, description: expect.any(String) }),
    );
    for (const [name, { parameters = [] }] of operations()) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect([name, inPath.map((parameter) => parameter.name)]).toEqual([
        name,
        [...name.matchAll(/\{(\w+)\}/g)].map(([, found]) => found),
      ]);
      for (const { description } of inPath) expect([name, description]).toEqual([name, expect.any(String)]);
    }
  });

  it('describes each field of a confirmation and of a list’s entry, optional ones included, and no other', () => {
    const fieldsOf = (name: string) => Object.keys(document.components.schemas[name]?.properties ?? {}).sort();
    expect(fieldsOf('ConfirmationResponse')).toEqual(Object.keys(VIEW).sort());
    expect(fieldsOf('InboxEntryResponse')).toEqual(Object.keys({ ...VIEW, ...SHOWN }).sort());
  });

  it('refers to nothing that is not there', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]*)"/g)].map(
      ([, name]) => name,
    );
    expect(references.length).toBeGreaterThan(50);
    for (const name of references) expect(Object.keys(document.components.schemas)).toContain(name);
  });
});

describe('llms.txt', () => {
  const index = readFileSync('llms.txt', 'utf8');
  const links = [...index.matchAll(/^- \[([^\]]+)\]\(([^)]+)\): (.*)$/gm)].map(([, title, page, about]) => ({
    title,
    page,
    about,
  }));

  it('has every page, each once, with what it is about', () => {
    const pages = ['.', 'docs', 'docs/decisions'].flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.md'))
        .map((name) => (folder === '.' ? name : `${folder}/${name}`)),
    );
    expect(links.map(({ page }) => page).sort()).toEqual(pages.sort());
    expect(links.length).toBe(index.split('\n').filter((line) => line.startsWith('- ')).length);
    for (const { title, about } of links) expect([title, about]).toEqual([title, expect.stringMatching(/^.{15,}$/)]);
  });

  it('is served with every page that it names, as Markdown, and with nothing else', async () => {
    const served = await fetch(`${service.url}/llms.txt`);
    expect(served.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    const targets = [...(await served.text()).matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);
    expect(targets.length).toBe(links.length);
    for (const target of targets) {
      const page = await fetch(new URL(target, `${service.url}/llms.txt`));
      const text = await page.text();
      expect([target, page.status, text]).toEqual([target, 200, expect.stringMatching(/^# /)]);
      const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, name = '']) => `docs/${name}`);
      expect([target, linked.filter((one) => !targets.includes(one))]).toEqual([target, []]);
      expect(page.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    }
    for (const other of ['index.html', 'none.md', '..%2F..%2Fmain.js', '%2e%2e%2fmain.js'])
      expect([other, (await fetch(`${service.url}/docs/${other}`)).status]).toEqual([other, 404]);
  });
});

describe('what is described is what happens:', () => {
  const question = {
    user_id: 'ann',
    task_id: 'task',
    step: 1,
    proposal: ['rm', '-r', 'build'],
    editable: true,
    step_result: {
      step: 'load',
      message: 'Again?',
      status: 'failed',
      result: [1],
      completed: false,
      error_code: 7,
      error_message: null,
    },
    timeout: null,
    on_timeout: 'abort',
    choices: [{ id: 'retry', label: 'Retry', proceed: true }],
    input_schema: { type: 'object', properties: { size: { type: 'integer', minimum: 1 } }, required: ['size'] },
    title: 'Loading',
    metadata: { a: { b: 1 } },
  };
  const irreversible = { user_id: 'ann', task_id: 'task', step: 2, step_result: { message: 'Go on?' }, risk: 'irreversible' };
  const heartbeat = { user_id: 'ann', interval: 60, ttl: 60 };
  const message = { type: 'note', text: 'x' };

  it.each([
    ['GET', '/ws/status', {}, undefined, 200],
    ['POST', '/ws/broadcast', {}, message, 202],
    ['POST', '/ws/broadcast', {}, {}, 400],
    ['POST', '/ws/users/{user_id}/messages', { user_id: 'ann' }, message, 202],
    ['POST', '/ws/users/{user_id}/messages?requires_ack=true&wait=0.01', { user_id: 'ann' }, message, 202],
    ['GET', '/ws/users/{user_id}', { user_id: 'ann' }, undefined, 200],
    ['POST', '/ws/users/{user_id}/revoke', { user_id: 'zoe' }, undefined, 200],
    ['POST', '/ws/confirmations', {}, question, 201],
    ['POST', '/ws/confirmations', {}, irreversible, 201],
    ['POST', '/ws/confirmations', {}, { ...question, timeout: -1 }, 400],
    ['GET', '/ws/users/{user_id}/confirmations?limit=1', { user_id: 'ann' }, undefined, 200],
    ['GET', '/ws/users/{user_id}/confirmations?state=pending', { user_id: 'ann' }, undefined, 200],
    ['GET', '/ws/confirmations/{callback_id}', { callback_id: 'none' }, undefined, 404],
    ['POST', '/ws/tasks/{task_id}/messages', { task_id: 'task' }, message, 202],
    ['POST', '/ws/tasks/{task_id}/heartbeat', { task_id: 'task' }, heartbeat, 202],
    ['DELETE', '/ws/tasks/{task_id}/heartbeat', { task_id: 'task' }, undefined, 204],
    ['POST', '/ws/tasks/{task_id}/cancel', { task_id: 'task' }, { reason: 'enough' }, 200],
    ['GET', '/ws/tasks/{task_id}', { task_id: 'task' }, undefined, 200],
    ['DELETE', '/ws/tasks/{task_id}/cancel', { task_id: 'task' }, undefined, 200],
    ['GET', '/health/live', {}, undefined, 200],
    ['GET', '/health/ready', {}, undefined, 200],
    ['GET', '/ws/health', {}, undefined, 200],
  ] as const)('%s %s', async (method, target, names, body, status) => {
    const path = target.split('?')[0] ?? '';
    const operation = operationOf(method, path);
    if (body !== undefined && status < 300) {
      const validBody = compile(operation.requestBody?.content['application/json']?.schema ?? {});
      expect([validBody(body), validBody.errors]).toEqual([true, null]);
    }
    const filled = Object.entries<string>(names).reduce<string>(
      (text, [name, value]) => text.replace(`{${name}}`, value),
      target,
    );
    const answer = await service.rest(method, filled, body);
    expect(answer.status).toBe(status);
    const schema = operation.responses[status]?.content?.['application/json']?.schema;
    if (!schema) return expect(status).toBe(204);
    const valid = compile(schema);
    expect([valid(answer.body), valid.errors]).toEqual([true, null]);
    // Nothing is answered that is not described.
    const reference = (schema as { $ref?: string }).$ref?.split('/').at(-1) ?? '';
    expect(Object.keys(document.components.schemas[reference]?.properties ?? {})).toEqual(
      expect.arrayContaining(Object.keys(answer.body)),
    );
  });

  it('an answer, its repetition, another answer, and a withdrawal', async () => {
    const opened = await service.rest('POST', '/ws/confirmations', { ...question, task_id: 'other', metadata: {} });
    const path = `/ws/confirmations/${String(opened.body['callback_id'])}`;
    const answer = { choice: 'retry', values: { size: 1 }, feedback: 'go' };
    const described = operationOf('POST', '/ws/confirmations/{callback_id}/answer');
    for (const [body, status] of [
      [{ choice: 'none' }, 400],
      [answer, 200],
      [answer, 200],
      [{ proceed: false }, 409],
    ] as const) {
      const given = await service.rest('POST', `${path}/answer`, body);
      expect(given.status).toBe(status);
      const valid = compile(described.responses[status]?.content?.['application/json']?.schema ?? {});
      expect([valid(given.body), valid.errors]).toEqual([true, null]);
    }
    const withdrawn = await service.rest('DELETE', path);
    const valid = compile(
      operationOf('DELETE', '/ws/confirmations/{callback_id}').responses['409']?.content?.['application/json']?.schema ?? {},
    );
    expect([withdrawn.status, valid(withdrawn.body)]).toEqual([409, true]);
  });

  it('a body that is described as wrong is refused', async () => {
    const valid = compile(operationOf('POST', '/ws/confirmations').requestBody?.content['application/json']?.schema ?? {});
    for (const change of [
      { user_id: '' },
      { step: 1.5 },
      { timeout: 0 },
      { on_timeout: 'maybe' },
      { choices: [] },
      { title: 5 },
      { metadata: [] },
      { step_result: 'x' },
    ]) {
      const body = { ...question, ...change };
      expect([change, valid(body)]).toEqual([change, false]);
      expect([change, (await service.rest('POST', '/ws/confirmations', body)).status]).toEqual([change, 400]);
    }
  });
});
