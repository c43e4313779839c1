/** Where it was measured. */
import { cpus, release, totalmem } from 'node:os';

export function machine() {
  const [{ model }] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores of ${model.trim()}, ${memory} GB, Linux ${release().split('.', 2).join('.')}, Node ${process.versions.node}`;
}
