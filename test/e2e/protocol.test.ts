/** Runs the conversations of PROTOCOL.md, frame by frame, against the real service. */
import { readFileSync } from 'node:fs';
import { CLOSE, ERROR_STATUS } from '../../src/protocol/codes.js';
import { ACTIONS, type Action } from '../../src/protocol/actions.js';
import { startService, type TestService } from '../support/service.js';
import type { Frame } from '../support/client.js';

const document = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8');
const conversations = [...document.matchAll(/\n([^\n]+):\n\n```conversation\n([\s\S]*?)```/g)].map(
  ([, title = '', text = '']) => ({ title, lines: text.trim().split('\n') }),
);

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

it('PROTOCOL.md has every action in its contents, its list of actions and a heading, and a row for every code', () => {
  const listed = /^ {2}action: ('.*');$/m.exec(document)?.[1]?.split(' | ');
  expect(listed).toEqual(ACTIONS.map((action) => `'${action}'`));
  for (const action of ACTIONS) {
    expect(document).toContain(`[${action}](#${action})`);
    expect(document).toContain(`\n### ${action}\n`);
  }
  for (const code of Object.keys(ERROR_STATUS)) expect(document).toMatch(new RegExp(`^\\|.*\`${code}\`.*\\|$`, 'm'));
  for (const { code, reason } of Object.values(CLOSE))
    expect(document).toMatch(new RegExp(`^\\| ${code} \\|.*\`${reason}\``, 'm'));
});

it('PROTOCOL.md has conversations', () => {
  expect(conversations.length).toBeGreaterThanOrEqual(3);
});

it.each(conversations)('“$title” goes as written', async ({ lines }) => {
  const client = await service.connect();
  const known = new Map<string, unknown>();
  for (const line of lines) {
    const text = line.slice(2);
    switch (line[0]) {
      case '>': {
        const frame = fill(JSON.parse(text), known) as { action: Action };
        if (ACTIONS.includes(frame.action)) client.send(frame);
        else client.sendUnchecked(frame);
        break;
      }
      case '<':
        expectFrame(await client.next(), JSON.parse(text) as Frame, known);
        break;
      case '!':
        call(text);
        break;
      default:
        throw new Error(`cannot read: ${line}`);
    }
  }
  await client.settled();
  expect(client.pendingFrames()).toEqual([]);
});

/** Back-end code's part: a method of the service with JSON arguments. */
function call(text: string): void {
  const [, name = '', args = ''] = /^(\w+)\((.*)\)$/.exec(text) ?? [];
  const methods = service.notifications as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
  void methods[name]?.apply(service.notifications, JSON.parse(`[${args}]`) as unknown[]);
}

function expectFrame(frame: Frame, expected: Frame, known: Map<string, unknown>): void {
  expect(masked(frame, expected, known)).toEqual(fill(expected, known));
}

/** With `*` wherever the document has it; what stood there is known by the field's name from now on. */
function masked(value: unknown, expected: unknown, known: Map<string, unknown>): unknown {
  if (!isCompound(value) || !isCompound(expected)) return value;
  return mapValues(value, (inner, name) => {
    if (expected[name] !== '*') return masked(inner, expected[name], known);
    known.set(name, inner);
    return '*';
  });
}

/** Puts earlier values in the place of `$name`. */
function fill(value: unknown, known: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string' && value.startsWith('$')) return known.get(value.slice(1));
  return isCompound(value) ? mapValues(value, (inner) => fill(inner, known)) : value;
}

type Compound = Record<string, unknown>;

/** An object or an array. */
const isCompound = (value: unknown): value is Compound => typeof value === 'object' && value !== null;

function mapValues(value: Compound, map: (inner: unknown, name: string) => unknown): unknown {
  const mapped = Object.entries(value).map(([name, inner]) => [name, map(inner, name)] as const);
  return Array.isArray(value) ? mapped.map(([, inner]) => inner) : Object.fromEntries(mapped);
}
