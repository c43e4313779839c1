/** The picture of the claims: for each of some measures a bar for each contestant. Readable in light and in dark. */
import { round } from './harness/table.mjs';

const SHOWN = [
  ['broadcast', 'one a tick, total', 'a broadcast, one delivery, CPU'],
  ['broadcast', 'ten a tick, total', 'ten broadcasts at once, one delivery, CPU'],
  ['to-user', '64 at a time, total', 'a message to one of 8,000, stored, CPU'],
  ['ping', '64 connections, total', 'a ping and its pong, CPU'],
  ['question', '64 devices, total', 'a question and its answer, stored, CPU'],
  ['memory', 'a user, at 19,000', 'memory of a connection'],
];
const WIDTH = 760;
const LEFT = 110;
const LONGEST = 520;
const BAR = 18;
const GAP = 6;

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

export function picture({ figures, machine }) {
  const lines = [];
  let y = 14;
  for (const [row, measure, title] of SHOWN) {
    const found = figures[row]?.measures[measure];
    if (found === undefined) continue;
    const { unit, by } = found;
    const most = Math.max(...Object.values(by));
    y += 26;
    lines.push(`  <text x="14" y="${y}">${escaped(title)}</text>`);
    y += 8;
    for (const [index, [key, value]] of Object.entries(by).entries()) {
      const width = Math.max(1, Math.round((value / most) * LONGEST));
      const middle = y + BAR - 5;
      lines.push(`  <text class="small end" x="${LEFT - 8}" y="${middle}">${escaped(index === 0 ? 'ours' : key)}</text>`);
      lines.push(`  <rect class="${index === 0 ? 'ours' : 'peer'}" x="${LEFT}" y="${y}" width="${width}" height="${BAR}"/>`);
      lines.push(`  <text class="small" x="${LEFT + width + 8}" y="${middle}">${round(value)} ${unit}</text>`);
      y += BAR + GAP;
    }
  }
  const height = y + 34;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="14" role="img" aria-labelledby="t">
  <title id="t">What one thing costs the server, ours beside its peers; shorter is better</title>
  <style>
    .ours { fill: #0969da } .peer { fill: #afb8c1 }
    text { fill: #1f2328 } .small { font-size: 12px; fill: #57606a } .end { text-anchor: end }
    @media (prefers-color-scheme: dark) {
      .ours { fill: #58a6ff } .peer { fill: #484f58 } text { fill: #e6edf3 } .small { fill: #8b949e }
    }
  </style>
  <text class="small" x="14" y="18">shorter is better</text>
${lines.join('\n')}
  <text class="small" x="14" y="${height - 12}">${escaped(machine)}</text>
</svg>
`;
}
