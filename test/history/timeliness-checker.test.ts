/** The timeliness checker finds each kind of violation in a record made by hand, and nothing in a sound one. */
import { checkTimeliness } from './timeliness-checker.js';
import type { Rule } from './checker.js';
import type { Entry, Verdict } from './recorder.js';

const verdict: Verdict = { outcome: 'answered', proceed: true };
type Timed = [number, Entry];
const at = (moment: number, entry: Entry): Timed => [moment, entry];
const started: Timed = [0, { kind: 'starting', node: 'n', at: 0 }];
const connected: Timed = [0, { kind: 'connect', connection: 1, node: 'n', userId: 'ann' }];
const asked: Timed = [
  0,
  { kind: 'ask', call: 1, node: 'm', question: 1, userId: 'ann', taskId: 't', onTimeout: 'abort', onTimeoutBy: 'caller' },
];
const shown: Timed = [10, { kind: 'shown', connection: 1, callbackId: 'c', question: 1, expiresAt: null }];
const answered: Timed[] = [
  at(20, {
    kind: 'answer',
    call: 2,
    node: 'm',
    callbackId: 'c',
    by: null,
    answer: { proceed: true, choice: null, feedback: null, values: null },
  }),
  at(30, { kind: 'accepted', call: 2 }),
];
const ended = (moment: number): Timed => at(moment, { kind: 'ended', call: 1, callbackId: 'c', verdict });
const resolved = (moment: number): Timed =>
  at(moment, { kind: 'observed', observer: 'connection', connection: 1, callbackId: 'c', verdict });
const closed = (moment: number, code: number): Timed => at(moment, { kind: 'closed', connection: 1, code });
const left = (moment: number): Timed[] => [at(moment, { kind: 'leave', connection: 1 }), closed(moment, 1005)];
const away = (moment: number): Timed => at(moment, { kind: 'away', at: moment });
const back = (moment: number): Timed => at(moment, { kind: 'back', at: moment, missed: false });

const judge = (...record: Timed[]) =>
  checkTimeliness({ entries: record.map(([, entry]) => entry), times: record.map(([moment]) => moment) }, { withinMs: 1000 });
const BEGUN = [started, connected, asked, shown, ...answered];

describe('the checker of timeliness', () => {
  it('finds nothing if every decision arrives soon, and reports the slowest', () => {
    expect(judge(...BEGUN, ended(500), resolved(700), ...left(3000))).toEqual({ violations: [], slowestMs: 670 });
  });

  it('stops the clock while the store is away', () => {
    expect(judge(...BEGUN, away(100), back(9000), ended(9500), resolved(9500), ...left(20_000)).violations).toEqual([]);
  });

  it('expects no decision on a connection that left or whose node stopped', () => {
    expect(judge(...BEGUN, ended(500), ...left(600)).violations).toEqual([]);
    const stopping = at(100, { kind: 'stopping', node: 'n' });
    expect(judge(...BEGUN, stopping, closed(110, 1006), ended(500)).violations).toEqual([]);
  });

  it('allows a node to close connections that open while the store is away', () => {
    expect(judge(started, away(0), connected, closed(100, 1011), back(200)).violations).toEqual([]);
  });

  const cases: [Rule, string, Timed[]][] = [
    ['delivered in time', 'a caller who hears of a decision late', [...BEGUN, resolved(40), ended(1500)]],
    ['delivered in time', 'a device that gets it late', [...BEGUN, ended(40), resolved(1500)]],
    ['delivered in time', 'a device that never gets it', [...BEGUN, ended(40), ...left(3000)]],
    [
      'delivered in time',
      'a caller that gets it late although the store has been back for long',
      [...BEGUN, away(40), back(50), resolved(60), ended(5000)],
    ],
    ['connections stay', 'a connection that is closed for no reason', [...BEGUN, ended(40), resolved(40), closed(50, 1006)]],
    ['connections stay', 'one that is closed because the store is away', [...BEGUN, away(40), closed(50, 1011), back(60)]],
  ];
  it.each(cases)('reports "%s" for %s', (rule, _what, record) => {
    expect(judge(...record).violations.map((violation) => violation.rule)).toContain(rule);
  });
});
