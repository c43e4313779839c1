/** Rounds: every contestant once, forward and backward in turn, so that a drift of the machine meets all alike. */
import { summaries } from './statistics.mjs';

/** @returns for each figure of `measure`, for each contestant, a summary over the rounds */
export async function interleaved(stands, rounds, measure) {
  for (const stand of stands) await measure(stand); // warms up
  const values = new Map(stands.map(({ key }) => [key, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const stand of round % 2 === 0 ? stands : stands.toReversed()) values.get(stand.key).push(await measure(stand));
  }
  const figures = {};
  for (const [key, each] of values)
    for (const [figure, result] of Object.entries(summaries(each))) (figures[figure] ??= {})[key] = result;
  return figures;
}
