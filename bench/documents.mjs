/**
 * The figures in the documents. Between `<!--bench KIND ARGUMENTS-->` and `<!--/bench-->` stands what is made of the claims:
 *
 *   machine, peers           where it was measured, and beside what
 *   table ROW                a table of the row
 *   figure ROW / MEASURE / CONTESTANT
 *   ratio ROW / MEASURE / PEER
 *   scaling NAME             a part of the arithmetic in scaling.mjs
 *
 *   node bench/documents.mjs           fails when a document does not agree with the claims
 *   node bench/documents.mjs --write   makes it agree
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readClaims } from './claims.mjs';
import { round } from './harness/table.mjs';
import { picture } from './picture.mjs';
import { scaling, SCALING_ROWS } from './scaling.mjs';

const DOCUMENTS = ['README.md', 'docs/benchmarks.md', 'docs/scaling.md'];
const PICTURE = 'docs/pictures/benchmarks.svg';
const MARKED = /(<!--bench (\w+) ?(.*?)-->)([\s\S]*?)(<!--\/bench-->)/g;

const NOT_MEASURED = 'not measured yet';

const KINDS = {
  machine: ({ machine }) => machine,
  peers: ({ peers }) => peers,
  table: ({ figures }, [row]) => `\n\n${figures[row] ? tableOf(figures[row].measures) : NOT_MEASURED}\n\n`,
  figure({ figures }, [row, measure, key]) {
    const value = figures[row]?.measures[measure]?.by[key];
    return value === undefined ? NOT_MEASURED : round(value);
  },
  ratio({ figures }, [row, measure, peer]) {
    const by = figures[row]?.measures[measure]?.by ?? {};
    return by[peer] === undefined ? NOT_MEASURED : round(Object.values(by)[0] / by[peer]);
  },
  scaling: (claims, [name]) =>
    `\n\n${SCALING_ROWS.every((row) => row in claims.figures) ? scaling(claims)[name] : NOT_MEASURED}\n\n`,
};

/** Nothing has a ratio to zero. */
const inBrackets = (times) => (Number.isFinite(times) ? ` (${round(times)})` : '');

/** One line for each measure, one column for each contestant; in brackets ours to it. */
function tableOf(measures) {
  const keys = [...new Set(Object.values(measures).flatMap(({ by }) => Object.keys(by)))];
  const lines = Object.entries(measures).map(([name, { unit, by }]) => {
    const [own] = Object.values(by);
    const cells = keys.map((key, index) => {
      if (by[key] === undefined) return '';
      return index === 0 ? `${round(by[key])} ${unit}` : `${round(by[key])}${inBrackets(own / by[key])}`;
    });
    return `| ${[name, ...cells].join(' | ')} |`;
  });
  return [`| | ${keys.join(' | ')} |`, `|---|${keys.map(() => '--:').join('|')}|`, ...lines].join('\n');
}

const rendered = (text, claims) =>
  text.replace(MARKED, (_, open, kind, args, __, close) => `${open}${KINDS[kind](claims, args.trim().split(' / '))}${close}`);

/** @returns the documents that do not agree with the claims; with `write` they do afterwards */
export function outdated({ write }) {
  const claims = readClaims();
  const made = { [PICTURE]: () => picture(claims) };
  for (const name of DOCUMENTS) made[name] = (text) => rendered(text, claims);
  return Object.entries(made).filter(([name, make]) => {
    const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
    const text = read(path);
    const next = make(text);
    if (write && next !== text) writeFileSync(path, next);
    return next !== text;
  });
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const write = process.argv.includes('--write');
  for (const [name] of outdated({ write })) {
    console.log(`${name} ${write ? 'is written' : 'does not agree with bench/claims.json: node bench/documents.mjs --write'}`);
    if (!write) process.exitCode = 1;
  }
}
