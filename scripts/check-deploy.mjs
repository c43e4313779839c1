/**
 * Checks the files for containers as far as that goes without a container engine: the Dockerfile by a linter, the manifests
 * for Kubernetes by schema, and that all of them agree with each other and with the service's settings.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { kubernetesProblems } from './kubernetes.mjs';
import { main, ROOT } from './tools.mjs';

const read = (file) => readFileSync(join(ROOT, file), 'utf8');

/** The names of all settings. */
const settings = [...read('.env.example').matchAll(/^#?(WEBSOCKET_\w+)=/gm)].map(([, name]) => name);
const exposed = Number(/^EXPOSE (\d+)$/m.exec(read('Dockerfile'))?.[1]);

await main(import.meta.url, async () => {
  const problems = [...dockerfile(), ...compose(), ...(await kubernetesProblems({ port: exposed, settings }))];
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  return problems.length === 0 ? 0 : 1;
});

function dockerfile() {
  const text = read('Dockerfile');
  const lint = validate(text).map(({ range, message }) => `Dockerfile:${range.start.line + 1}: ${message}`);
  const allowed = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) => sources.split(' '));
  const lost = copied.filter((source) => !allowed.includes(source) || !existsSync(join(ROOT, source)));
  return [...lint, ...lost.map((source) => `Dockerfile: copies ${source}, which is missing or kept out by .dockerignore`)];
}

function compose() {
  const file = parse(read('compose.yaml'), { merge: true });
  const { services, volumes } = file;
  const problems = [];
  for (const [name, service] of Object.entries(services)) {
    if (!service.image && !service.build) problems.push(`compose.yaml: ${name} has neither image nor build`);
    for (const other of Object.keys(service.depends_on ?? {})) {
      if (!services[other]) problems.push(`compose.yaml: ${name} depends on ${other}, which is no service`);
    }
    for (const [source] of (service.volumes ?? []).map((mount) => mount.split(':'))) {
      const known = source.startsWith('./') ? existsSync(join(ROOT, source)) : source in volumes;
      if (!known) problems.push(`compose.yaml: ${name} mounts ${source}, which does not exist`);
    }
  }
  for (const [name, service] of Object.entries(services)) {
    if (!service.read_only) problems.push(`compose.yaml: ${name} may write to its own file system`);
    if (!service.cap_drop?.includes('ALL')) problems.push(`compose.yaml: ${name} keeps capabilities that it does not need`);
    if (!service.security_opt?.includes('no-new-privileges:true')) problems.push(`compose.yaml: ${name} may gain privileges`);
    if (!service.mem_limit) problems.push(`compose.yaml: ${name} has no limit on its memory`);
    for (const setting of Object.keys(service.environment ?? {}))
      if (setting.startsWith('WEBSOCKET_') && !settings.includes(setting))
        problems.push(`compose.yaml: ${name} sets ${setting}, which is no setting`);
  }
  for (const [name, { environment }] of Object.entries(services)) {
    const trusted = environment?.WEBSOCKET_TRUST_PROXY;
    if (trusted !== undefined && trusted !== services.nginx?.networks?.default?.ipv4_address)
      problems.push(`compose.yaml: ${name} trusts ${trusted}, which is not the address of nginx`);
  }
  const upstreams = [...read('deploy/nginx.conf').matchAll(/^\s*server ([\w.-]+):(\d+)/gm)];
  if (upstreams.length === 0) problems.push('deploy/nginx.conf: has no upstream server');
  for (const [, host, port] of upstreams) {
    if (!services[host]) problems.push(`deploy/nginx.conf: ${host} is no service of compose.yaml`);
    if (Number(port) !== exposed)
      problems.push(`deploy/nginx.conf: ${host} is asked on port ${port}, the image listens on ${exposed}`);
  }
  return problems;
}
