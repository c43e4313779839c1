/**
 * The claims: every figure that the documents show, in `claims.json`, by row, measure and contestant. Where ours has a peer,
 * what is claimed is the ratio, which holds on any machine; a figure without a peer is claimed for the machine named there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { round } from './harness/table.mjs';

const FILE = new URL('claims.json', import.meta.url);
/** A p99 rests on ten of a thousand samples. */
const TOLERANCE_OF_P99 = 0.5;
const TOLERANCE = 0.15;

export const readClaims = () => JSON.parse(readFileSync(FILE, 'utf8'));

/** Takes over what was measured; rows that did not run keep their figures. */
export function writeClaims({ machine, peers, rows }) {
  const claims = readClaims();
  const figures = { ...claims.figures };
  for (const [name, { title, measures }] of Object.entries(rows)) {
    figures[name] = { title, measures: {} };
    for (const [measure, { unit, by }] of Object.entries(measures)) {
      const tolerance = measure.endsWith('p99') ? TOLERANCE_OF_P99 : TOLERANCE;
      const values = Object.fromEntries(Object.entries(by).map(([key, { value }]) => [key, Number(value.toPrecision(3))]));
      figures[name].measures[measure] = { unit, tolerance, by: values };
    }
  }
  writeFileSync(FILE, `${JSON.stringify({ machine, peers, figures }, undefined, 2)}\n`);
}

/** @returns a line for each claim that what was measured does not bear out */
export function drifts({ machine, rows }, claims = readClaims()) {
  return Object.entries(rows).flatMap(([row, { measures }]) =>
    Object.entries(claims.figures[row]?.measures ?? {}).flatMap(([measure, { unit, tolerance, by: claimed }]) => {
      const found = measures[measure]?.by;
      if (found === undefined) return [];
      const [own, ...peers] = Object.keys(claimed);
      const compare = (what, was, is) =>
        Math.abs(is / was - 1) > tolerance
          ? [{ row, text: `${row}, ${measure}: ${what} is ${round(is)}, claimed ${round(was)} (${percent(is / was - 1)})` }]
          : [];
      if (peers.length === 0)
        return machine === claims.machine ? compare(`the figure in ${unit}`, claimed[own], found[own].value) : [];
      return peers
        .filter((peer) => found[peer] !== undefined)
        .flatMap((peer) => compare(`ours to ${peer}`, claimed[own] / claimed[peer], found[own].value / found[peer].value));
    }),
  );
}

const percent = (share) => `${share > 0 ? '+' : ''}${Math.round(share * 100)} %`;
