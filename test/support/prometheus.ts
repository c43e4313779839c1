/** A real Prometheus that scrapes services of a test each second, with a data folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.js';
import { findBinary } from './system.js';

const START_WITHIN_MS = 20_000;

export interface ActiveAlert {
  name: string;
  state: 'pending' | 'firing';
  labels: Record<string, string>;
}

export interface Sample {
  metric: Record<string, string>;
  value: number;
}

export class Prometheus {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    private readonly url: string,
  ) {}

  /** @param ports of the services on this machine */
  static async start(ports: readonly number[], ruleFile: string): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
    const targets = ports.map((port) => `127.0.0.1:${port}`);
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [resolve(ruleFile)],
      scrape_configs: [{ job_name: 'websocket-manager', static_configs: [{ targets }] }],
    };
    // JSON is YAML.
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const options = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
    options.push(`--web.listen-address=${address}`, '--log.level=error', '--enable-feature=exemplar-storage');
    const child = spawn(findBinary('prometheus') ?? 'prometheus', options, { stdio: 'ignore' });
    const prometheus = new Prometheus(child, folder, `http://${address}`);
    const end = performance.now() + START_WITHIN_MS;
    while (!(await prometheus.isReady())) {
      if (performance.now() > end || child.exitCode !== null) throw new Error('Prometheus does not start');
      await delay(100);
    }
    return prometheus;
  }

  /** @throws with Prometheus' words for a query that it does not take */
  async query(expression: string): Promise<Sample[]> {
    const body = await this.get(`/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`);
    const { error, data } = body as {
      error?: string;
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (!data) throw new Error(`${expression}: ${error ?? 'no answer'}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** The trace ids of the exemplars that the samples of an expression have. */
  async traceIds(expression: string): Promise<string[]> {
    const hour = 3_600_000;
    const [start, end] = [Date.now() - hour, Date.now() + hour].map((moment) => String(moment / 1000));
    const query = new URLSearchParams({ query: expression, start: start ?? '', end: end ?? '' });
    const { data } = (await this.get(`/api/v1/query_exemplars?${query.toString()}`)) as {
      data: { exemplars: { labels: { trace_id: string } }[] }[];
    };
    return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id));
  }

  /** Every rule, with the error of its last evaluation. */
  async rules(): Promise<{ name: string; health: string; lastError?: string }[]> {
    const body = (await this.get('/api/v1/rules')) as { data: { groups: { rules: { name: string; health: string }[] }[] } };
    return body.data.groups.flatMap(({ rules }) => rules);
  }

  /** The alerts that are pending or fire now. */
  async alerts(): Promise<ActiveAlert[]> {
    const body = (await this.get('/api/v1/alerts')) as { data: { alerts: Omit<ActiveAlert, 'name'>[] } };
    return body.data.alerts.map(({ state, labels }) => ({ name: labels['alertname'] ?? '', state, labels }));
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  private async isReady(): Promise<boolean> {
    return fetch(`${this.url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  private async get(path: string): Promise<unknown> {
    return (await fetch(this.url + path)).json();
  }
}
