/**
 * Validators of frames for the tests, compiled ahead of them from the AsyncAPI document: `client_confirm`, `server_pong`, ….
 *
 * Clients may send unknown fields, which are ignored. What the server sends has no field that the document does not name.
 */
import { Ajv } from 'ajv';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build } from 'esbuild';
import { ROOT } from './tools.mjs';

/** @returns the text of an ES module */
export async function frameValidators({ components: { messages, schemas } }) {
  const ajv = new Ajv({ code: { source: true, esm: true }, strict: false, inlineRefs: false });
  ajv
    .addSchema({ $id: 'client', components: { schemas } })
    .addSchema({ $id: 'server', components: { schemas: closed(schemas) } });
  const validators = Object.entries(messages).map(([name, { payload }]) => {
    const [side, type] = name.split('.');
    const $id = `${side}_${type}`;
    ajv.addSchema({ ...inside(payload, side), $id });
    return [$id, $id];
  });
  const contents = standaloneCode.default(ajv, Object.fromEntries(validators));
  // What the code requires of Ajv becomes part of it.
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: ROOT },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    write: false,
  });
  return outputFiles[0].text;
}

const inside = (schema, side) => JSON.parse(JSON.stringify(schema).replaceAll('#/components', `${side}#/components`));

/** The same schemas, without any field that they do not name. */
function closed(schemas) {
  return JSON.parse(JSON.stringify(schemas), (_name, value) =>
    value?.type === 'object' && value.properties && value.additionalProperties === undefined
      ? { ...value, additionalProperties: false }
      : value,
  );
}
