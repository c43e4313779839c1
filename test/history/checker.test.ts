/** The checker finds each kind of violation in a record made by hand, and nothing in a sound one. */
import { check, type CheckOptions, type Rule } from './checker.js';
import type { Entry, GivenAnswer, Verdict } from './recorder.js';

const YES: GivenAnswer = { proceed: true, choice: null, feedback: null, values: null };
const NO: GivenAnswer = { ...YES, proceed: false };
const answered = (by: string | null, answer: GivenAnswer, decidedAt = 1000): Verdict => ({
  outcome: 'answered',
  answeredBy: by,
  ...answer,
  decidedAt,
});
const timedOut = (proceed: boolean): Verdict => ({ outcome: 'timed_out', proceed });

type Of<Kind extends Entry['kind']> = Partial<Extract<Entry, { kind: Kind }>>;
const ask = (more: Of<'ask'> = {}): Entry => ({
  kind: 'ask',
  call: 1,
  node: 'n',
  question: 1,
  userId: 'ann',
  taskId: 't',
  onTimeout: 'abort',
  onTimeoutBy: 'caller',
  ...more,
});
const created = (more: Of<'created'> = {}): Entry => ({ kind: 'created', call: 1, callbackId: 'c', ...more });
const ended = (verdict: Verdict, more: Of<'ended'> = {}): Entry => ({
  kind: 'ended',
  call: 1,
  callbackId: 'c',
  verdict,
  ...more,
});
const answer = (given: GivenAnswer | null, more: Of<'answer'> = {}): Entry => ({
  kind: 'answer',
  call: 2,
  node: 'n',
  callbackId: 'c',
  by: 'ann',
  answer: given,
  ...more,
});
const accepted = (call = 2): Entry => ({ kind: 'accepted', call });
const refused = (code: string, verdict?: Verdict, call = 2): Entry => ({ kind: 'refused', call, code, verdict });
const connect = (connection = 1): Entry => ({ kind: 'connect', connection, node: 'n', userId: 'ann' });
const shown = (more: Of<'shown'> = {}): Entry => ({
  kind: 'shown',
  connection: 1,
  callbackId: 'c',
  question: 1,
  expiresAt: 5000,
  ...more,
});
const observed = (verdict: Verdict, more: Of<'observed'> = {}): Entry => ({
  kind: 'observed',
  observer: 'connection',
  connection: 1,
  callbackId: 'c',
  verdict,
  ...more,
});
const starting = (at: number): Entry => ({ kind: 'starting', node: 'n', at });
const stopping: Entry = { kind: 'stopping', node: 'n' };
const stopped = (at: number): Entry => ({ kind: 'stopped', node: 'n', at });
const looked = (verdict?: Verdict, more: Of<'found'> = {}): Entry[] => [
  { kind: 'read', call: 99, node: 'n', callbackId: 'c' },
  { kind: 'found', call: 99, state: verdict ? 'decided' : 'pending', verdict, ...more },
];

/** Asked, shown, answered with yes, seen by everybody, read at the end. */
const WELL: Entry[] = [
  starting(0),
  connect(),
  ask(),
  created(),
  shown(),
  answer(YES, { connection: 1 }),
  accepted(),
  ended(answered('ann', YES)),
  observed(
    { outcome: 'answered', proceed: true, answeredBy: 'ann', choice: null },
    { observer: 'decisions$', connection: undefined },
  ),
  ...looked(answered('ann', YES)),
];

describe('the checker', () => {
  it('finds nothing in a sound record', () => {
    expect(check(WELL, { decisionsRecorded: true })).toEqual([]);
  });

  it('accepts a frame that was under way when the decision fell', () => {
    expect(check([...WELL.slice(0, 2), connect(2), ...WELL.slice(2, 8), shown({ connection: 2 }), ...WELL.slice(8)])).toEqual([]);
  });

  it('accepts a caller that loses its node and returns with its key', () => {
    const key = 'k';
    const record = [
      starting(0),
      ask({ key }),
      stopping,
      { kind: 'failed', call: 1, error: 'ServiceClosedError' } as const,
      stopped(10),
      starting(20),
      ask({ key, call: 5 }),
      answer(NO),
      accepted(),
      ended(answered('ann', NO), { call: 5 }),
      ...looked(answered('ann', NO)),
    ];
    expect(check(record)).toEqual([]);
  });

  const refusedOnceMore = (...between: Entry[]): Entry[] => [
    starting(0),
    ask(),
    ...between,
    { kind: 'failed', call: 1, error: 'ServiceClosedError' },
  ];
  const away: Entry = { kind: 'away', at: 1000 };
  const back = (missed = true): Entry => ({ kind: 'back', at: 9000, missed });

  it('accepts a refusal while the store is away, or on a machine that was too slow', () => {
    expect(check(refusedOnceMore(away, back()))).toEqual([]);
    expect(check([...refusedOnceMore(away), back()])).toEqual([]);
    expect(check(refusedOnceMore(), { times: [0, 0, 2000] })).toEqual([]);
  });

  const cases: [Rule, string, Entry[], CheckOptions?][] = [
    [
      'one decision',
      'a caller and an observer who have different decisions',
      [...WELL.slice(0, 8), observed({ outcome: 'answered', proceed: false }), ...WELL.slice(9)],
    ],
    ['one decision', 'a decision that changes after a restart', [...WELL.slice(0, 9), ...looked(answered('ann', NO))]],
    [
      'acknowledged is decided',
      'an acknowledged answer that is not the decision',
      [
        ask(),
        answer(NO, { call: 3, by: 'bob' }),
        accepted(3),
        answer(YES),
        accepted(),
        ended(answered('bob', NO)),
        ...looked(answered('bob', NO)),
      ],
    ],
    [
      'acknowledged is decided',
      'an invalid answer that is accepted',
      [...WELL.slice(0, 9), answer(null, { call: 7 }), accepted(7), ...WELL.slice(9)],
    ],
    [
      'acknowledged is decided',
      'a repeated answer that is refused',
      [...WELL.slice(0, 9), answer(YES, { call: 7 }), refused('ALREADY_RESOLVED', answered('ann', YES), 7), ...WELL.slice(9)],
    ],
    [
      'nothing is lost',
      'an acknowledged prompt that is gone',
      [ask({ waits: false }), created(), ...looked(undefined, { state: 'missing' })],
    ],
    ['nothing is lost', 'an acknowledged answer that is gone', [...WELL.slice(0, 9), ...looked()]],
    ['nothing is lost', 'a prompt that nobody read at the end', [ask({ waits: false }), created()]],
    ['nothing is lost', 'a deadline that moves', [...WELL.slice(0, 5), shown({ expiresAt: 6000 }), ...WELL.slice(5)]],
    [
      'not pending again',
      'a prompt shown on a connection that knew its decision',
      [...WELL.slice(0, 9), shown(), ...WELL.slice(9)],
    ],
    [
      'not pending again',
      'a decided prompt shown on a connection that came later',
      [...WELL.slice(0, 9), connect(2), shown({ connection: 2 }), ...WELL.slice(9)],
    ],
    [
      'not pending again',
      'a decided prompt in a list that was asked for later',
      [
        ...WELL.slice(0, 9),
        { kind: 'list', call: 8, node: 'n' },
        { kind: 'listed', call: 8, callbackIds: ['c'] },
        ...WELL.slice(9),
      ],
    ],
    [
      'not pending again',
      'a prompt that is pending after its task’s cancellation was acknowledged',
      [ask({ waits: false }), created(), { kind: 'cancel', call: 4, node: 'n', taskId: 't' }, accepted(4), ...looked()],
    ],
    [
      'proceed was chosen',
      'a yes that nobody gave',
      [
        ask(),
        answer(NO),
        refused('ALREADY_RESOLVED', answered('bob', YES)),
        ended(answered('bob', YES)),
        ...looked(answered('bob', YES)),
      ],
    ],
    [
      'proceed was chosen',
      'a time-out that proceeds where the caller said abort',
      [ask(), ended(timedOut(true)), ...looked(timedOut(true))],
    ],
    [
      'proceed was chosen',
      'a deadline missed while nothing ran that proceeds by setting',
      [
        starting(0),
        ask({ onTimeout: 'proceed', onTimeoutBy: 'setting', key: 'k' }),
        shown({ expiresAt: 50 }),
        stopping,
        { kind: 'failed', call: 1, error: 'ServiceClosedError' },
        stopped(10),
        starting(100),
        ask({ onTimeout: 'proceed', onTimeoutBy: 'setting', key: 'k', call: 5 }),
        ended(timedOut(true), { call: 5 }),
        ...looked(timedOut(true)),
      ],
    ],
    [
      'proceed was chosen',
      'a cancellation that proceeds',
      [
        ask(),
        { kind: 'cancel', call: 4, node: 'n', taskId: 't' },
        accepted(4),
        ended({ outcome: 'cancelled', proceed: true }),
        ...looked({ outcome: 'cancelled', proceed: true }),
      ],
    ],
    [
      'a decision has a cause',
      'a cancellation that nobody asked for',
      [ask(), ended({ outcome: 'cancelled', proceed: false }), ...looked({ outcome: 'cancelled', proceed: false })],
    ],
    [
      'a decision has a cause',
      'a withdrawal that nobody asked for',
      [ask(), ended({ outcome: 'withdrawn', proceed: false }), ...looked({ outcome: 'withdrawn', proceed: false })],
    ],
    [
      'a decision has a cause',
      'an answer that counts after the deadline',
      [...WELL.slice(0, 4), shown({ expiresAt: 1000 }), ...WELL.slice(5)],
    ],
    [
      'a decision has a cause',
      'a time-out before the deadline',
      [ask(), shown({ expiresAt: 5000 }), ended({ ...timedOut(false), decidedAt: 4999 }), ...looked(timedOut(false))],
    ],
    [
      'a decision has a cause',
      'a time-out that aborts where the caller said proceed',
      [ask({ onTimeout: 'proceed' }), ended(timedOut(false)), ...looked(timedOut(false))],
    ],
    [
      'a key is one prompt',
      'a key that stands for two prompts',
      [
        ...WELL.map((entry) => (entry.kind === 'ask' ? ask({ key: 'k' }) : entry)),
        ask({ key: 'k', call: 5, waits: false }),
        created({ call: 5, callbackId: 'other' }),
        { kind: 'read', call: 98, node: 'n', callbackId: 'other' },
        { kind: 'found', call: 98, state: 'pending' },
      ],
    ],
    [
      'a key is one prompt',
      'two calls without a key that share a prompt',
      [...WELL.slice(0, 8), ask({ call: 5 }), ended(answered('ann', YES), { call: 5 }), ...WELL.slice(8)],
    ],
    ['every call ends', 'a caller who never gets an end', [ask(), answer(YES), accepted(), ...looked(answered('ann', YES))]],
    ['every call ends', 'an answerer who never gets an end', [...WELL.slice(0, 9), answer(NO, { call: 7 }), ...WELL.slice(9)]],
    [
      'every call ends',
      'a caller who is refused while the service runs',
      [starting(0), ask(), { kind: 'failed', call: 1, error: 'ServiceClosedError' }],
    ],
    [
      'every call ends',
      'a caller who gets an error that nobody promised',
      [ask(), { kind: 'failed', call: 1, error: 'TypeError' }],
    ],
    [
      'every call ends',
      'a key whose caller never got the decision',
      [starting(0), ask({ key: 'k' }), stopping, { kind: 'failed', call: 1, error: 'ServiceClosedError' }],
    ],
    [
      'every call ends',
      'a time-out that throws where the caller said abort',
      [ask(), ended(timedOut(false), { thrown: true }), ...looked(timedOut(false))],
    ],
    [
      'every call ends',
      'an answer that is refused though it is right',
      [...WELL.slice(0, 9), answer(NO, { call: 7 }), refused('NOT_FOUND', undefined, 7)],
    ],
    [
      'every call ends',
      'a late answerer who does not get the decision',
      [...WELL.slice(0, 9), answer(NO, { call: 7 }), refused('ALREADY_RESOLVED', undefined, 7), ...WELL.slice(9)],
    ],
    ['every call ends', 'a caller who is refused before the store was away', [...refusedOnceMore(), away, back()]],
    ['every call ends', 'a caller who is refused when it is back', [away, back(), ...refusedOnceMore()]],
    ['every call ends', 'a caller who is refused at once', refusedOnceMore(), { times: [0, 0, 100] }],
    [
      'proceed was chosen',
      'a setting that proceeds for a deadline that passed while the store was away',
      [
        away,
        back(),
        ask({ onTimeout: 'proceed', onTimeoutBy: 'setting' }),
        shown({ expiresAt: 5000 }),
        ended(timedOut(true)),
        ...looked(timedOut(true)),
      ],
    ],
    [
      'decisions are emitted',
      'a decision that decisions$ did not emit',
      [...WELL.slice(0, 8), ...WELL.slice(9)],
      { decisionsRecorded: true },
    ],
  ];
  // Jest takes a fourth parameter that a row does not fill for a callback.
  it.each(cases)('reports "%s" for %s', (...[rule, , record, options]) => {
    expect(check(record, options).map((violation) => violation.rule)).toContain(rule);
  });
});
