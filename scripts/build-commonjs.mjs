/**
 * Gives the package a CommonJS form beside its ES modules (`dist` -> `dist/cjs`), for applications and Jest projects that
 * load it with `require`. The declarations are the same files.
 *
 * A test that runs CommonJS in Jest cannot require an ES module before Node 24.9, so `require(esm)` alone is not enough.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { main, ROOT } from './tools.mjs';

const FROM = join(ROOT, 'dist');
const TO = join(FROM, 'cjs');
/** What an application loads; the stand-alone service runs as ES modules only. */
const FOLDERS = ['notification', 'protocol', 'client', 'react', 'testing'];

const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023, esModuleInterop: true };

export function buildCommonJs() {
  rmSync(TO, { recursive: true, force: true });
  for (const file of FOLDERS.flatMap((folder) => filesIn(join(FROM, folder)))) {
    const target = join(TO, relative(FROM, file));
    mkdirSync(dirname(target), { recursive: true });
    if (file.endsWith('.js')) writeFileSync(target, commonJs(readFileSync(file, 'utf8')));
    else if (!file.endsWith('.map')) copyFileSync(file, target);
  }
  writeFileSync(join(TO, 'package.json'), '{ "type": "commonjs" }\n');
}

function commonJs(source) {
  const { outputText } = ts.transpileModule(source, { compilerOptions });
  return outputText
    .replaceAll('import.meta.url', 'require("node:url").pathToFileURL(__filename).href')
    .replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
}

const filesIn = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });

await main(import.meta.url, buildCommonJs);
