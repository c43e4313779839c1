/**
 * Checks Kubernetes manifests without a cluster: names and types of fields by the compiler, formats and enumerations by the
 * validators of `kubernetes-models`, and what the manifests say of the image and the service by the repository's own files.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { parse } from 'yaml';
import { ROOT } from './tools.mjs';

const FOLDER = join(ROOT, 'deploy/kubernetes');
/** Seconds of a stop that the service takes after WEBSOCKET_DRAIN_TIMEOUT, at most. */
const LAST_SECONDS = 5;

/** @returns one line for each problem */
export async function kubernetesProblems({ port, settings }) {
  const files = readdirSync(FOLDER).filter((name) => name !== 'kustomization.yaml');
  const manifests = files.map((name) => ({ name, manifest: parse(readFileSync(join(FOLDER, name), 'utf8')) }));
  const listed = parse(readFileSync(join(FOLDER, 'kustomization.yaml'), 'utf8')).resources;
  const lost = files.filter((name) => !listed.includes(name)).map((name) => `${name}: kustomization.yaml does not list it`);
  const gone = listed.filter((name) => !files.includes(name)).map((name) => `kustomization.yaml: ${name} does not exist`);
  const refused = [];
  for (const { name, manifest } of manifests) {
    try {
      const module = await import(moduleOf(manifest));
      new module[manifest.kind](manifest).validate();
    } catch (error) {
      refused.push(`${name}: ${error.message}`);
    }
  }
  return [...lost, ...gone, ...refused, ...unknownFields(manifests), ...deploymentProblems(manifests, port, settings)].map(
    (problem) => `deploy/kubernetes/${problem}`,
  );
}

const moduleOf = ({ apiVersion, kind }) => `kubernetes-models/${apiVersion}/${kind}`;

/** The compiler knows every field: a literal with another one is an error. */
function unknownFields(manifests) {
  // Inside the project, where the packages are found.
  const folder = mkdtempSync(join(ROOT, 'node_modules/.kubernetes-'));
  try {
    const sources = manifests.map(({ name, manifest }, index) => {
      const path = join(folder, `${index}.mts`);
      const type = `import('${moduleOf(manifest)}').I${manifest.kind}`;
      writeFileSync(path, `export const manifest: ${type} = ${JSON.stringify(manifest, null, 2)};\n`);
      return { name, path };
    });
    const program = ts.createProgram(
      sources.map(({ path }) => path),
      { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext, types: [] },
    );
    return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
      const name = sources.find(({ path }) => path === file?.fileName)?.name ?? 'a manifest';
      return `${name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function deploymentProblems(manifests, port, settings) {
  const { spec } = manifests.find(({ manifest }) => manifest.kind === 'Deployment').manifest.spec.template;
  const [container] = spec.containers;
  const problems = [];
  const value = (name) => container.env.find((variable) => variable.name === name)?.value;
  if (!container.ports.some(({ containerPort }) => containerPort === port)) problems.push(`no port is ${port}, as in the image`);
  for (const { name } of container.env)
    if (!settings.includes(name) && !settings.includes(name.replace(/_FILE$/, ''))) problems.push(`${name} is no setting`);
  const [, pause] = container.lifecycle.preStop.exec.command;
  const stop = Number(pause) + Number(value('WEBSOCKET_DRAIN_TIMEOUT')) + LAST_SECONDS;
  if (spec.terminationGracePeriodSeconds <= stop)
    problems.push(`terminationGracePeriodSeconds is not more than the ${stop} s of a stop`);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
    if (!/^\/health\/(live|ready)$/.test(container[probe]?.httpGet?.path)) problems.push(`${probe} asks no health route`);
  return problems.map((problem) => `deployment.yaml: ${problem}`);
}
