/** Values that a hostile user would try in any field: made from a seed, small and large, of every kind JSON has and some it lacks. */
import type { Random } from './random.js';

const NAMES = [
  'a',
  'constructor',
  '__proto__',
  'toString',
  'hasOwnProperty',
  'then',
  '$ref',
  'pattern',
  'items',
  '',
  '\u0000',
  '💥',
];
const TEXTS = [
  '',
  ' ',
  'x',
  '\u0000',
  '\u202egnp.exe',
  '\ud800',
  '💥'.repeat(50),
  'a'.repeat(300),
  '../../etc/passwd',
  "'; DROP TABLE confirmation; --",
  '{{constructor}}',
  '%00%0a',
  'user:',
  'task:t',
  'broadcast',
  '*',
  '0-0',
  '9999999999999999999',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!',
];
/** Raw JSON texts that no JavaScript value has. */
const RAW = [
  '1e400',
  '-0',
  '2512292042121000001',
  '0.1234567890123456789',
  '{"a":1,"a":2}',
  '"\\ud800"',
  '[]',
  '{}',
  'null',
  'true',
];

/** JSON text, not a value: some of it cannot be had by stringifying. */
export function hostileJson(random: Random, depth = 0): string {
  const kind = random.between(0, depth > 3 ? 5 : 9);
  switch (kind) {
    case 0:
      return String(random.pick([0, 1, -1, 1.5, 2 ** 31, -(2 ** 53), 1e308, 1e-320]));
    case 1:
      return random.pick(RAW);
    case 2:
    case 3:
    case 4:
      return JSON.stringify(random.pick(TEXTS));
    case 5:
      return random.pick(['null', 'true', 'false']);
    case 6:
      return `[${repeated(random, depth, () => hostileJson(random, depth + 1))}]`;
    case 7:
      return random.chance(0.02) ? '['.repeat(random.between(60, 5000)) : `[${repeated(random, 3, () => '1')}]`;
    default:
      return `{${repeated(random, depth, () => `${JSON.stringify(random.pick(NAMES))}:${hostileJson(random, depth + 1)}`)}}`;
  }
}

/** Many only where the elements are plain: nested, they would multiply into gigabytes. */
function repeated(random: Random, depth: number, one: () => string): string {
  const many = depth === 3 && random.chance(0.2) ? random.between(50, 2000) : random.between(0, 4);
  return Array.from({ length: many }, one).join(',');
}

const FIELDS: Record<string, readonly string[]> = {
  ping: ['x'],
  subscribe: ['user_id', 'task_id', 'channel', 'channels', 'recover'],
  unsubscribe: ['user_id', 'task_id', 'channel', 'channels'],
  confirm: ['callback_id', 'proceed', 'feedback', 'choice', 'values', 'digest', 'edited'],
  cancel: ['user_id', 'task_id', 'reason'],
  ack: ['message_id'],
  authenticate: ['token'],
  pending: ['limit', 'cursor'],
  dance: ['x'],
};

/** A frame: the fields of an action, each right, hostile or absent, and sometimes one more. */
export function hostileFrame(random: Random, known: Record<string, string>): string {
  if (random.chance(0.03)) return hostileJson(random);
  const action = random.pick(Object.keys(FIELDS));
  const fields = [`"action":${random.chance(0.02) ? hostileJson(random) : JSON.stringify(action)}`];
  for (const name of FIELDS[action] ?? []) {
    if (random.chance(0.4)) continue;
    const right = known[name];
    fields.push(`${JSON.stringify(name)}:${right !== undefined && random.chance(0.6) ? right : hostileJson(random)}`);
  }
  if (random.chance(0.3)) fields.push(`"request_id":${hostileJson(random)}`);
  if (random.chance(0.1)) fields.push(`${JSON.stringify(random.pick(NAMES))}:${hostileJson(random)}`);
  return `{${fields.join(',')}}`;
}
