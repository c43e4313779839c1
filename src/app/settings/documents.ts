/** What is written from the table of settings: `.env.example` and the tables of `docs/settings.md`. */
import { defaultOf, FILE_NAMES, GROUPS, settingOf, type SettingName } from './settings.js';

/** The text of `.env.example`: every setting with its default, and those without one as comments. */
export function envExample(): string {
  const lines = GROUPS.flatMap(([title, table]) => ['', `## ${title}`, ...namesOf(table).flatMap(envLines)]);
  return [
    '# Settings of the stand-alone service. Copy this file to .env: every line is a default, or a comment where there is none.',
    '# Durations are seconds, sizes bytes. docs/settings.md says what each one does.',
    ...lines,
    '',
  ].join('\n');
}

function envLines(name: SettingName): string[] {
  const { takes } = settingOf(name);
  const value = defaultOf(name);
  const line = `${value === undefined ? '#' : ''}${name}=${value ?? ''}`;
  const file = FILE_NAMES.filter((each) => each === `${name}_FILE`);
  return [`# ${takes}`, line, ...file.flatMap((each) => [`# a file that holds ${name}`, `#${each}=`])];
}

/** The tables of `docs/settings.md`, by group. */
export function settingTables(): string {
  return GROUPS.map(([title, table]) => {
    const rows = namesOf(table).map((name) => {
      const { about, option } = settingOf(name);
      const value = defaultOf(name);
      return `| \`${name}\` | ${option === undefined ? '' : `\`${option}\``} | ${value === undefined ? '' : `\`${value}\``} | ${about} |`;
    });
    return [`## ${title}`, '', '| variable | option | default | what it does |', '|---|---|---|---|', ...rows].join('\n');
  }).join('\n\n');
}

const namesOf = (table: object): SettingName[] => Object.keys(table) as SettingName[];
