/** The delivery checker finds each kind of violation in a record made by hand, and nothing in a sound one. */
import { checkDelivery, type DeliveryEntry, type DeliveryRule } from './delivery-checker.js';

const device = (connection: number): DeliveryEntry[] => [
  { kind: 'connecting', connection, userId: 'ann' },
  { kind: 'connected', connection, userId: 'ann' },
];
const replaced = (connection: number): DeliveryEntry => ({ kind: 'closed', connection, code: 4509 });
const reading: DeliveryEntry = { kind: 'reading', reader: 'r', channel: 'news' };
const publish = (message: number): DeliveryEntry[] => [
  { kind: 'publish', call: 100 + message, channel: 'news', message },
  { kind: 'accepted', call: 100 + message },
];
const received = (message: number, offset = message, epoch = 'e'): DeliveryEntry => ({
  kind: 'received',
  reader: 'r',
  message,
  epoch,
  offset,
});
const recovered = (is: boolean): DeliveryEntry => ({ kind: 'recovered', reader: 'r', recovered: is });
const send: DeliveryEntry = { kind: 'send', call: 1, userId: 'ann', message: 9 };
const sent = (acknowledged?: boolean): DeliveryEntry => ({
  kind: 'sent',
  call: 1,
  ...(acknowledged !== undefined && { acknowledged }),
});
const shown = (connection: number): DeliveryEntry => ({ kind: 'shown', connection, message: 9 });
const ack: DeliveryEntry = { kind: 'ack', call: 2, message: 9 };
const acked: DeliveryEntry = { kind: 'accepted', call: 2 };
const open = (prompt: number): DeliveryEntry[] => [
  { kind: 'open', call: 200 + prompt, taskId: 't', prompt },
  { kind: 'accepted', call: 200 + prompt },
];
const state = (prompt: number, its: string): DeliveryEntry => ({ kind: 'state', prompt, state: its });
const cancel: DeliveryEntry = { kind: 'cancel', call: 3, taskId: 't' };
const cancelled: DeliveryEntry = { kind: 'accepted', call: 3 };
const resume: DeliveryEntry[] = [
  { kind: 'resume', call: 4, taskId: 't' },
  { kind: 'accepted', call: 4 },
];
const settled: DeliveryEntry = { kind: 'settled' };

const judge = (...record: DeliveryEntry[]) => checkDelivery([...record, settled], { limit: 2 });

describe('the delivery checker', () => {
  const sound: [string, DeliveryEntry[]][] = [
    ['the oldest of three connections is replaced', [...device(1), ...device(2), ...device(3), replaced(1)]],
    [
      'two connections are replaced in either order',
      [...device(1), ...device(2), ...device(3), ...device(4), replaced(2), replaced(1)],
    ],
    ['every message arrives once', [reading, ...publish(1), received(1), ...publish(2), received(2)]],
    ['what is missing was announced', [reading, ...publish(1), ...publish(2), recovered(false), ...publish(3), received(3)]],
    ['a new epoch counts from one', [reading, ...publish(8), received(8), recovered(false), ...publish(9), received(9, 1, 'f')]],
    ['a message whose publication failed is missing', [reading, ...publish(1).slice(0, 1), { kind: 'failed', call: 101 }]],
    ['a message is acknowledged', [...device(1), send, shown(1), ack, acked, sent(true), ...device(2)]],
    ['an acknowledgement comes after the sender stopped waiting', [...device(1), send, shown(1), sent(false), ack, acked]],
    [
      'a cancellation takes every prompt',
      [...open(1), ...open(2), cancel, cancelled, state(1, 'cancelled'), state(2, 'cancelled')],
    ],
    ['a failed cancellation takes none', [...open(1), ...open(2), cancel, state(1, 'pending'), state(2, 'pending')]],
    ['a resumed task asks', [...open(1), cancel, cancelled, ...resume, ...open(2), state(1, 'cancelled'), state(2, 'pending')]],
    [
      'an older copy of the data forgets an acknowledgement',
      [send, sent(), ack, acked, { kind: 'restored' }, ...device(1), shown(1)],
    ],
  ];
  it.each(sound)('finds nothing if %s', (_what, record) => {
    expect(judge(...record)).toEqual([]);
  });

  const planted: [DeliveryRule, string, DeliveryEntry[]][] = [
    ['oldest goes first', 'the newest connection being replaced', [...device(1), ...device(2), ...device(3), replaced(3)]],
    ['oldest goes first', 'a connection being replaced below the limit', [...device(1), ...device(2), replaced(1)]],
    ['oldest goes first', 'more connections than the limit', [...device(1), ...device(2), ...device(3)]],
    ['no silent gap', 'a message that is missing', [reading, ...publish(1), ...publish(2), received(2)]],
    ['no silent gap', 'a message that is missing after `recovered: true`', [reading, ...publish(1), recovered(true)]],
    ['no silent gap', 'a message that is missing after an announced gap', [reading, recovered(false), ...publish(1)]],
    [
      'no silent gap',
      'a message that is missing after an older copy of the data was restored',
      [reading, ...publish(1), received(1), { kind: 'restored' }, ...publish(2), recovered(true), ...publish(3), received(3)],
    ],
    ['once and in order', 'a message that arrives twice', [reading, ...publish(1), received(1), received(1, 2)]],
    ['once and in order', 'an older offset', [reading, ...publish(1), ...publish(2), received(2), received(1)]],
    ['acknowledged is acknowledged', 'a lost acknowledgement', [...device(1), send, shown(1), ack, acked, sent(false)]],
    ['acknowledged is acknowledged', 'an acknowledgement that nobody gave', [...device(1), send, shown(1), sent(true)]],
    ['shown until acknowledged', 'a message that a later connection does not get', [send, sent(), ...device(1)]],
    [
      'shown until acknowledged',
      'an acknowledged message that is shown again',
      [send, sent(), ack, acked, ...device(1), shown(1)],
    ],
    [
      'a cancellation is whole',
      'an accepted cancellation that left a prompt',
      [...open(1), cancel, cancelled, state(1, 'pending')],
    ],
    [
      'a cancellation is whole',
      'a failed cancellation that took half',
      [...open(1), ...open(2), cancel, state(1, 'pending'), state(2, 'cancelled')],
    ],
    [
      'a resumed task asks again',
      'a prompt that a resumed task lost at once',
      [...open(1), cancel, cancelled, ...resume, ...open(2), state(1, 'cancelled'), state(2, 'cancelled')],
    ],
    [
      'a resumed task asks again',
      'a prompt of a task that was forgotten',
      [cancel, cancelled, { kind: 'forgotten', taskId: 't' }, ...open(2), state(2, 'cancelled')],
    ],
  ];
  it.each(planted)('reports "%s" for %s', (rule, _what, record) => {
    expect(judge(...record).map((violation) => violation.rule)).toContain(rule);
  });
});
