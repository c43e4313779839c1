/** The alert rules in deploy/prometheus, checked by Prometheus' own tool and against the documents. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { requireBinary } from '../support/system.js';

interface Rule {
  alert: string;
  expr: string;
}
interface RuleTest {
  alert_rule_test: { alertname: string; exp_alerts: unknown[] }[];
}

const run = promisify(execFile);
const read = (file: string): string => readFileSync(file, 'utf8');
const { rules } = (parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] }).groups[0] ?? { rules: [] };
const alerts = rules.map(({ alert }) => alert).sort();

requireBinary('promtool')('the alert rules', () => {
  it('are taken by promtool, fire with the series that they are for, and not with the others', async () => {
    await run('promtool', ['check', 'rules', 'deploy/prometheus/alerts.yml']);
    await run('promtool', ['test', 'rules', 'deploy/prometheus/alerts.test.yml']);
  });
});

it('every alert has series with which it fires and series with which it must not', () => {
  const { tests } = parse(read('deploy/prometheus/alerts.test.yml')) as { tests: RuleTest[] };
  const cases = tests.map(({ alert_rule_test: each }) => each);
  const names = (fires: boolean): string[] => {
    const matching = cases.filter((each) => each.some(({ exp_alerts: expected }) => expected.length > 0) === fires);
    return [...new Set(matching.flatMap((each) => each.map(({ alertname }) => alertname)))].sort();
  };
  expect([names(true), names(false)]).toEqual([alerts, alerts]);
});

it('every alert stands in docs/monitoring.md with what to do, and asks only for metrics that exist', () => {
  const [, , table = ''] = read('docs/monitoring.md').split('\n## ');
  expect([...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, names = '']) => names.match(/\w+/g)).sort()).toEqual(alerts);
  const families = new Set(read('docs/metrics.md').match(/`\w+`/g));
  const used = rules.flatMap(({ expr }) => expr.match(/\b(websocket|confirmations?|pending|engine|webhook|log)_\w+/g) ?? []);
  expect(used.length).toBeGreaterThan(rules.length);
  expect(used.map((name) => `\`${name.replace(/_bucket$/, '')}\``).filter((name) => !families.has(name))).toEqual([]);
});
