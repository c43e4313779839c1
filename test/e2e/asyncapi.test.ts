/**
 * `/docs/asyncapi.json`: valid, and the same as the code. Every frame of the other tests in this folder is checked against it
 * (`test/support/checked-socket.ts`).
 */
import { Parser } from '@asyncapi/parser';
import { getMetadataStorage } from 'class-validator';
import { AckDto } from '../../src/notification/gateway/dto/ack.dto.js';
import { AuthenticateDto } from '../../src/notification/gateway/dto/authenticate.dto.js';
import { CancelDto } from '../../src/notification/gateway/dto/cancel.dto.js';
import { ConfirmDto } from '../../src/notification/gateway/dto/confirm.dto.js';
import { DismissDto } from '../../src/notification/gateway/dto/dismiss.dto.js';
import { PendingDto } from '../../src/notification/gateway/dto/pending.dto.js';
import { SeenDto } from '../../src/notification/gateway/dto/seen.dto.js';
import { SubscribeDto } from '../../src/notification/gateway/dto/subscribe.dto.js';
import { ACTIONS } from '../../src/protocol/actions.js';
import { isReservedType } from '../../src/protocol/messages.js';
import { checkReceived, checkSent } from '../support/frames.js';
import { startService, type TestService } from '../support/service.js';

interface Document {
  asyncapi: string;
  operations: Record<string, { action: string; summary: string }>;
  components: {
    messages: Record<string, { summary: string }>;
    schemas: Record<string, { properties?: Record<string, object>; required?: string[] }>;
  };
}

/** Each action's checked fields. `unsubscribe` shares a class with `subscribe`. */
const CHECKED = {
  SubscribeMessage: SubscribeDto,
  ConfirmMessage: ConfirmDto,
  CancelMessage: CancelDto,
  AckMessage: AckDto,
  AuthenticateMessage: AuthenticateDto,
  PendingMessage: PendingDto,
  SeenMessage: SeenDto,
  DismissMessage: DismissDto,
};

let service: TestService;
let document: Document;
beforeAll(async () => {
  service = await startService();
  document = (await service.rest('GET', '/docs/asyncapi.json')).body as unknown as Document;
});
afterAll(() => service.stop());

const namesOf = (side: string): string[] =>
  Object.keys(document.components.messages)
    .filter((name) => name.startsWith(side))
    .map((name) => name.slice(side.length));

describe('the AsyncAPI document', () => {
  it('is version 3.1, and AsyncAPI’s own parser has nothing to say against it', async () => {
    expect(document.asyncapi).toBe('3.1.0');
    const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document));
    expect(diagnostics).toEqual([]);
    expect(parsed?.operations().length).toBeGreaterThan(15);
  });

  it('has every action and every type of the product, each in words', () => {
    expect(namesOf('client.').sort()).toEqual([...ACTIONS].sort());
    const types = namesOf('server.').filter((type) => type !== 'message');
    expect(types.filter((type) => !isReservedType(type)).sort()).toEqual(['dismissed', 'heartbeat', 'seen', 'task_cancelled']);
    for (const [name, { summary }] of Object.entries({ ...document.components.messages, ...document.operations }))
      expect([name, summary]).toEqual([name, expect.stringMatching(/^[A-Z0-9].*\.$/)]);
  });

  it.each(Object.entries(CHECKED))('names the fields that the gateway checks, and no others, in %s', (name, type) => {
    const { properties = {}, required = [] } = document.components.schemas[name] ?? {};
    const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
    const fields = [...new Set(rules.map(({ propertyName }) => propertyName))];
    const optional = rules.filter(({ name: rule }) => rule === 'isOptional').map(({ propertyName }) => propertyName);
    expect(Object.keys(properties).sort()).toEqual(['action', 'request_id', ...fields].sort());
    const needed = fields.filter((field) => !optional.includes(field) && field !== 'edited');
    expect([...required].sort()).toEqual(['action', ...needed].sort());
  });

  it('stands on the page', async () => {
    const page = String((await service.rest('GET', '/docs')).body['text']);
    for (const name of [...ACTIONS, 'task_step_result', 'recovered']) expect(page).toContain(`<code>${name}</code></h3>`);
  });
});

describe('the check of frames', () => {
  it('fails what a client sends and the document does not have', async () => {
    const client = await service.connect();
    expect(() => client.send({ action: 'confirm', proceed: true })).toThrow(/the action confirm otherwise.*callback_id/);
    expect(() => client.send({ action: 'dance' })).toThrow(/does not know the action dance/);
    expect(() => client.send('{')).toThrow(SyntaxError);
    expect(() => checkSent('{"action":"subscribe","channels":[]}')).toThrow(/fewer than 1/);
    expect(() => checkSent(`{"action":"subscribe","user_id":"${'x'.repeat(257)}"}`)).toThrow(/256/);
  });

  it.each([
    ['a field that the document does not name', { type: 'seen', callback_id: 'x', seen_at: null, more: 1 }, /more/],
    ['a field that is missing', { type: 'pong', timestamp: 1 }, /original_data/],
    ['a type that only the product sends', { type: 'confirmation_withdrawn' }, /does not know the type/],
    ['a field of another type', { type: 'note', offset: '3' }, /offset.*integer/],
  ])('fails what the service sends with %s', (_what, frame, reason) => {
    expect(() => checkReceived(JSON.stringify(frame))).toThrow(reason);
  });
});
