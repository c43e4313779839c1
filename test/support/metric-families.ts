/** The families of the service's registry, with what docs/metrics.md says of each. */
import type { Registry } from 'prom-client';

/** Of a family, what prom-client keeps and its types leave out. */
interface Family {
  name: string;
  help: string;
  labelNames?: string[];
}

/** Of the process, not of the service. */
const FOREIGN = /^(process|nodejs)_/;

/** @returns one row of the table in docs/metrics.md per family, in the order of the registry */
export async function rowsOf(registry: Registry): Promise<string[]> {
  const types = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  const families = registry.getMetricsAsArray() as unknown as Family[];
  return families
    .filter(({ name }) => !FOREIGN.test(name))
    .map(({ name, help, labelNames = [] }) => {
      const unit = /_(seconds|bytes)(_total)?$/.exec(name)?.[1] ?? (help.startsWith('1 while') ? '0 or 1' : 'count');
      const labels = labelNames.map((label) => `\`${label}\``).join(', ');
      return `| ${[`\`${name}\``, types.get(name), unit, labels, help].join(' | ')} |`.replaceAll(/ {2,}/g, ' ');
    });
}
