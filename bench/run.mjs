/**
 * The service beside other servers, in one run on one machine.
 *
 *   npm run bench                        every row but the long ones, about ten minutes
 *   npm run bench -- --quick             the short rows with fewer rounds, about three minutes
 *   npm run bench -- --only=ask,ping     the named rows, each for a minute or less, the long ones for several
 *   npm run bench -- --all               every row
 *   npm run bench -- --check             fails when a figure has drifted from bench/claims.json by more than 15 %
 *   npm run bench -- --write             makes the claims, the documents and the picture from this run
 *   npm run bench -- --json=FILE         also writes everything that was measured
 */
import { writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { drifts, writeClaims } from './claims.mjs';
import { canRun } from './contestants/index.mjs';
import { outdated } from './documents.mjs';
import { interleaved } from './harness/rounds.mjs';
import { withStands } from './harness/stand.mjs';
import { table } from './harness/table.mjs';
import { machine, peers } from './harness/machine.mjs';
import { ROWS } from './rows/index.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

if (options.write && options.quick) throw new Error('--quick measures too little to write it down');

/** @returns the measures of a row: for each its unit and, by contestant, a summary of the rounds */
async function measure(row) {
  const keys = row.contestants.filter(canRun);
  for (const key of row.contestants) if (!keys.includes(key)) console.error(`${row.name}: ${key} does not run here`);
  const rounds = options.quick ? Math.min(2, row.rounds) : row.rounds;
  if (row.run) return row.run({ keys, rounds, quick: options.quick });
  const work = async (stands) => {
    for (const stand of stands) await stand.connect(row.connections);
    const measures = {};
    for (const [name, { unit, run }] of Object.entries(row.measures)) {
      const figures = await interleaved(stands, rounds, run);
      for (const [figure, by] of Object.entries(figures)) measures[`${name}, ${figure}`] = { unit, by };
    }
    return measures;
  };
  return withStands(keys, work, row.stand);
}

function chosen() {
  if (options.only === undefined)
    return ROWS.filter(({ pace }) => options.all || pace === undefined || (pace === 'slow' && !options.quick));
  const names = options.only.split(',');
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) throw new Error(`no row ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}`);
  return ROWS.filter(({ name }) => names.includes(name));
}

// Ends children that do not notice by themselves.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const results = { machine: machine(), peers: peers(), rows: {} };
console.log(`${results.machine}\n${results.peers}`);

/** A row that fails costs the others nothing. */
async function measureAndPrint(row) {
  const begun = performance.now();
  try {
    const measures = await measure(row);
    const seconds = Math.round((performance.now() - begun) / 1000);
    results.rows[row.name] = { title: row.title, seconds, measures };
    console.log(`\n${row.title} (--only=${row.name}, ${seconds} s)\n\n${table(measures)}`);
  } catch (error) {
    console.error(`\n${row.name} failed: ${error.stack}`);
    process.exitCode = 1;
  }
}

/** A row that has drifted is measured once more: what remains is no accident of the machine. */
async function check() {
  const drifted = new Set(drifts(results).map(({ row }) => row));
  for (const row of ROWS) if (drifted.has(row.name)) await measureAndPrint(row);
  const lines = drifts(results).map(({ text }) => text);
  console.log(lines.length === 0 ? '\nEvery claim holds.' : `\nClaims that have drifted:\n  ${lines.join('\n  ')}`);
  if (lines.length > 0) process.exitCode = 1;
}

for (const row of chosen()) await measureAndPrint(row);
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
if (options.check) await check();
if (options.write) {
  writeClaims(results);
  for (const [name] of outdated({ write: true })) console.log(`${name} is written`);
}
