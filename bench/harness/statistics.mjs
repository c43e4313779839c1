/** What is made of measured values. */
export const percentile = (values, share) => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
};
export const median = (values) => percentile(values, 0.5);

/** Of one value per round. */
export const summary = (rounds, value = median(rounds)) => ({
  value,
  low: Math.min(...rounds),
  high: Math.max(...rounds),
  rounds,
});

/** Of figures per round, `times` among them pooled into percentiles. @returns a summary for each figure */
export function summaries(rounds) {
  const figures = {};
  for (const name of Object.keys(rounds[0])) {
    const values = rounds.map((round) => round[name]);
    if (name !== 'times') figures[name] = summary(values);
    else
      for (const [label, share] of [
        ['p50', 0.5],
        ['p99', 0.99],
      ])
        figures[label] = {
          ...summary(
            values.map((times) => percentile(times, share)),
            percentile(values.flat(), share),
          ),
          samples: values.flat().length,
        };
  }
  return figures;
}

/** How ours compares with a peer, round by round. */
export function ratio(own, peer) {
  const pairs = own.rounds.map((value, round) => value / peer.rounds[round]).filter(Number.isFinite);
  return { value: own.value / peer.value, low: Math.min(...pairs), high: Math.max(...pairs) };
}
