/**
 * deploy/prometheus/alerts.yml with its times divided, so that a rule that takes ten minutes can be watched. The expressions
 * stay as they are, except for what is a time in them:
 *
 *  1. `for`, and the length of every range (`[5m]`).
 *  2. The one limit in seconds of waiting: `webhook_oldest_seconds`.
 *
 * Rates are per second and limits on them stay. So do times that the service itself has: a lease of 5 s remains one of 5 s.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Rule {
  alert: string;
  expr: string;
  for?: string;
}

interface RuleFile {
  groups: { rules: Rule[] }[];
}

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600 };
const DURATION = /^(\d+)([smh])$/;

export class ScaledRules {
  private constructor(
    readonly file: string,
    private readonly folder: string,
  ) {}

  /** @param without the alerts to leave out, to see that they are missed */
  static async create(factor: number, without: readonly string[] = []): Promise<ScaledRules> {
    const { groups } = parse(readFileSync('deploy/prometheus/alerts.yml', 'utf8')) as RuleFile;
    const scaled = groups.map((group) => ({
      ...group,
      rules: group.rules.filter(({ alert }) => !without.includes(alert)).map((rule) => scale(rule, factor)),
    }));
    const folder = await mkdtemp(join(tmpdir(), 'rules-'));
    const file = join(folder, 'alerts.yml');
    // JSON is YAML.
    await writeFile(file, JSON.stringify({ groups: scaled }));
    return new ScaledRules(file, folder);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

function scale(rule: Rule, factor: number): Rule {
  const expr = rule.expr
    .replaceAll(/\[(\w+)\]/g, (_, duration: string) => `[${divide(duration, factor)}]`)
    .replaceAll(
      /(webhook_oldest_seconds\)? > )(\d+)/g,
      (_, start: string, limit: string) => start + String(Number(limit) / factor),
    );
  return { ...rule, expr, ...(rule.for !== undefined && { for: divide(rule.for, factor) }) };
}

function divide(duration: string, factor: number): string {
  const [, count, unit = ''] = DURATION.exec(duration) ?? [];
  const seconds = Number(count) * (SECONDS[unit] ?? Number.NaN);
  if (Number.isNaN(seconds)) throw new Error(`${duration} is no duration that this can divide`);
  return `${Math.round((seconds * 1000) / factor)}ms`;
}
