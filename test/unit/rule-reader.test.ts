/** The reader that checks frames says what class-validator says, whatever comes. */
import { IsOptional, IsString, validateSync, type ValidationError } from 'class-validator';
import fc from 'fast-check';
import { AckDto } from '../../src/notification/gateway/dto/ack.dto.js';
import { AuthenticateDto } from '../../src/notification/gateway/dto/authenticate.dto.js';
import { CancelDto } from '../../src/notification/gateway/dto/cancel.dto.js';
import { ConfirmDto } from '../../src/notification/gateway/dto/confirm.dto.js';
import { PendingDto } from '../../src/notification/gateway/dto/pending.dto.js';
import { ChannelDto, PositionDto, SubscribeDto } from '../../src/notification/gateway/dto/subscribe.dto.js';
import { InvalidMessageError } from '../../src/notification/notification.errors.js';
import { RuleReader } from '../../src/notification/validation/rule-reader.js';

type FrameClass = new () => object;

const take = (metatype: FrameClass, value: object): unknown => new RuleReader(metatype, 'drop').read(value);

function faultsOf(work: () => unknown): string[] | unknown {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InvalidMessageError)) throw error;
    return Object.keys(error.fields ?? {}).toSorted();
  }
}

function namesOf(errors: ValidationError[], prefix = ''): string[] {
  return errors.flatMap(({ property, constraints, children = [] }) => [
    ...(constraints ? [prefix + property] : []),
    ...namesOf(children, `${prefix}${property}.`),
  ]);
}

const NESTED: Record<string, FrameClass> = { recover: PositionDto, channels: ChannelDto };

/** An instance of a class with its nested instances, as the library wants them. */
function instanceOf(metatype: FrameClass, fields: object): object {
  const made = (name: string, value: unknown): unknown => {
    const nested = NESTED[name];
    if (!nested || typeof value !== 'object' || value === null) return value;
    return Array.isArray(value) ? value.map((each) => made(name, each)) : instanceOf(nested, value);
  };
  return Object.assign(
    new metatype(),
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, made(name, value)])),
  );
}

/** As the library has it; the faults as names. */
function judged(metatype: FrameClass, value: object): unknown {
  const frame = instanceOf(metatype, value);
  const errors = validateSync(frame, { whitelist: true });
  if (errors.length === 0) return frame;
  return namesOf(errors).toSorted();
}

const NAMES = [
  'user_id task_id channel channels recover callback_id proceed feedback choice values digest reason message_id token limit cursor',
  'epoch offset action request_id unknown',
].flatMap((names) => names.split(' '));

const value = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    0,
    1,
    -1,
    1.5,
    1000,
    1001,
    '',
    'user',
    '\0',
    '\ud800',
    'x'.repeat(256),
    'x'.repeat(1025),
    [],
    {},
  ),
  fc.string(),
  fc.record(
    { epoch: fc.constantFrom('e', '', 1, null), offset: fc.constantFrom(0, 7, -1, 0.5, '1', null), more: fc.boolean() },
    { requiredKeys: [] },
  ),
);
const channel = fc.record({ channel: fc.constantFrom('c', '', 1, null), recover: value }, { requiredKeys: [] });
const field = fc.oneof({ weight: 3, arbitrary: value }, fc.array(fc.oneof(channel, value), { maxLength: 34 }));
const given = fc.dictionary(fc.constantFrom(...NAMES), field, { maxKeys: 6 });

const DTOS = [AckDto, AuthenticateDto, CancelDto, ChannelDto, ConfirmDto, PendingDto, PositionDto, SubscribeDto];

describe('the compiled validation pipe', () => {
  it.each<FrameClass>(DTOS)('takes and refuses as class-validator does: %p', (metatype) => {
    fc.assert(
      fc.property(given, (fields) => {
        expect(faultsOf(() => take(metatype, fields))).toEqual(judged(metatype, fields));
      }),
      { numRuns: 500 },
    );
  });

  it('makes an instance with the known fields only', () => {
    const frame = take(SubscribeDto, { user_id: 'u', recover: { epoch: 'e', offset: 3, more: 1 }, action: 'subscribe' });
    expect(frame).toBeInstanceOf(SubscribeDto);
    expect((frame as SubscribeDto).recover).toBeInstanceOf(PositionDto);
    expect(JSON.stringify(frame)).toBe('{"user_id":"u","recover":{"epoch":"e","offset":3}}');
  });

  it('leaves rules which it does not know to class-validator', () => {
    class Listed {
      @IsOptional()
      @IsString({ each: true })
      names?: string[];
    }
    expect(take(Listed, { names: ['a'] })).toEqual({ names: ['a'] });
    expect(() => take(Listed, { names: [1] })).toThrow(InvalidMessageError);
  });
});
