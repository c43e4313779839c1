/** The page at `/docs`: every route and every message, as plain HTML with a style sheet and nothing else. */

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentcolor 18%, transparent); }
body { margin: 0 auto; max-width: 62rem; padding: 1rem 1.25rem 6rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; }
h2 { margin: 3rem 0 .5rem; padding-bottom: .25rem; border-bottom: 2px solid var(--line); }
h3 { margin: 2.25rem 0 .25rem; font-size: 1.05rem; }
h4 { margin: 1rem 0 .25rem; font-size: .9rem; }
p { margin: .25rem 0; }
nav { columns: 17rem; margin: 1rem 0; font-size: .9rem; }
nav ul { margin: 0 0 1rem; padding: 0; list-style: none; break-inside: avoid; }
nav li:first-child { font-weight: 600; }
code, pre { font: .875em/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { margin: .5rem 0; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: .4rem; overflow-x: auto; overflow-wrap: normal; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; }
td:first-child { width: 13rem; }
td:nth-child(2) { width: 12rem; }
.method { display: inline-block; min-width: 4.2rem; }
.note { opacity: .75; }
`;

const GROUPS = [
  {
    direction: 'receive',
    title: 'WebSocket: what a client sends',
    intro:
      'One JSON object in each text frame at `/ws`, with `action`. Every action may carry a `request_id`, which the reply or the `error` repeats.',
  },
  {
    direction: 'send',
    title: 'WebSocket: what the service sends',
    intro:
      'Beside the replies, and the `error` that comes instead of one. A message of any other `type` is the application’s own.',
  },
];

/** @param documents `openapi` and `asyncapi` */
export function docsPage({ openapi, asyncapi }) {
  const { schemas } = openapi.components;
  const routes = openapi.tags.map(({ name, description }) => ({ name, description, operations: operationsOf(openapi, name) }));
  const operations = Object.entries(asyncapi.operations);
  const body = [
    `<h1>${text(openapi.info.title)}</h1>`,
    `<p class="note">Version ${text(openapi.info.version)}. For tools: <a href="docs/openapi.json">OpenAPI</a>, <a href="docs/asyncapi.json">AsyncAPI</a>. More to read: <a href="llms.txt">llms.txt</a>.</p>`,
    '<p>Bodies and answers are JSON, times Unix seconds, durations seconds. In secure mode every route but health needs an API key (<code>X-API-Key</code>) or a token (<code>Authorization: Bearer</code>).</p>',
    contents(routes, operations),
    ...routes.map((route) => group(route, (schema) => (schema.$ref ? schemas[schema.$ref.split('/').at(-1)] : schema))),
    ...GROUPS.map((one) => messageGroup(one, operations, asyncapi)),
    '<h2 id="schemas">Schemas of the routes</h2>',
    ...Object.entries(schemas).map(([name, schema]) => schemaSection(name, schema, '')),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(openapi.info.title)}: the API</title>
<style>${STYLE}</style>
</head>
<body>
${body.join('\n')}
</body>
</html>
`;
}

function operationsOf({ paths }, tag) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags = [] }]) => tags.includes(tag))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

function contents(routes, messages) {
  const list = (title, items) =>
    `<ul><li>${text(title)}</li>${items.map(([id, label]) => `<li><a href="#${id}">${label}</a></li>`).join('')}</ul>`;
  const groups = routes.map(({ name, operations }) =>
    list(
      name,
      operations.map(({ method, path, operation }) => [operation.operationId, `<code>${method} ${text(path)}</code>`]),
    ),
  );
  const ofMessages = GROUPS.map(({ direction, title }) =>
    list(
      title,
      messages
        .filter(([, { action }]) => action === direction)
        .map(([id]) => [`message-${id}`, `<code>${text(id.replace(/^send_/, ''))}</code>`]),
    ),
  );
  return `<nav aria-label="Contents">${[...groups, ...ofMessages].join('')}</nav>`;
}

function messageGroup({ direction, title, intro }, operations, asyncapi) {
  const own = operations.filter(([, { action }]) => action === direction);
  return [
    `<h2 id="${direction}">${text(title)}</h2>`,
    `<p>${prose(intro)}</p>`,
    ...own.map(([id, operation]) => messageSection(id, operation, asyncapi)),
  ].join('\n');
}

function messageSection(id, { summary, messages, reply }, { components }) {
  const payloadsOf = ({ $ref }) => {
    const { payload } = components.messages[lastOf($ref)];
    return (payload.anyOf ?? [payload]).map((each) => components.schemas[lastOf(each.$ref)]);
  };
  const name = id.replace(/^send_/, '');
  const answer = reply?.messages.find(({ $ref }) => lastOf($ref) !== 'server.error');
  const tables = (reference) => payloadsOf(reference).map((schema) => fields(expanded(schema, components.schemas)));
  return [
    `<h3 id="message-${id}"><code>${text(name)}</code></h3>`,
    `<p>${prose(summary)}</p>`,
    ...messages.flatMap(tables),
    answer ? `<h4>Reply: <code>${text(lastOf(answer.$ref).replace('server.', ''))}</code></h4>${tables(answer).join('or')}` : '',
  ].join('\n');
}

/** What a schema refers to stands in its place, to a depth, without its description. */
function expanded(schema, schemas, depth = 3) {
  if (schema.$ref && depth === 0) return { type: 'object' };
  if (schema.$ref) return { ...expanded(schemas[lastOf(schema.$ref)], schemas, depth - 1), description: undefined };
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (key === 'properties')
        return [key, Object.fromEntries(Object.entries(value).map(([name, each]) => [name, expanded(each, schemas, depth)]))];
      if (key === 'items') return [key, expanded(value, schemas, depth)];
      if (['allOf', 'anyOf'].includes(key)) return [key, value.map((each) => expanded(each, schemas, depth))];
      return [key, value];
    }),
  );
}

const lastOf = (reference) => reference.split('/').at(-1);

/** @param resolved a schema instead of a reference to it */
function group({ name, description, operations }, resolved) {
  return [
    `<h2 id="${name}">${text(capitalised(name))}</h2>`,
    `<p>${prose(description)}</p>`,
    ...operations.map((operation) => operationSection(operation, resolved)),
  ].join('\n');
}

function operationSection({ method, path, operation }, resolved) {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const schema = requestBody?.content['application/json'].schema;
  const answers = Object.entries(responses).filter(([, response]) => !isError(response));
  const errors = Object.entries(responses).filter(([, response]) => isError(response));
  return [
    `<h3 id="${operationId}"><code><span class="method">${method}</span>${text(path)}</code></h3>`,
    `<p><strong>${prose(summary)}.</strong> ${prose(description ?? '')}</p>`,
    parameters.length === 0 ? '' : table(['Parameter', 'Type', 'Meaning'], parameters.map(parameterRow)),
    schema ? `<h4>Body</h4>${fields(resolved(schema))}` : '',
    table(['Status', 'Body', 'When'], answers.map(responseRow)),
    errors.length === 0 ? '' : `<p class="note">Errors: ${errors.map(errorCodes).join('; ')}. ${typeOf(ERROR)} is the body.</p>`,
  ].join('\n');
}

const ERROR = { $ref: '#/components/schemas/ErrorResponse' };
const isError = ({ content = {} }) => Object.values(content).some(({ schema }) => schema.$ref === ERROR.$ref);
const errorCodes = ([status, { description }]) =>
  `${status} <code>${text(description).replaceAll(', ', '</code>, <code>')}</code>`;

function parameterRow({ name, in: place, required, schema, description }) {
  return [`<code>${text(name)}</code>${required ? '' : '?'}`, `${typeOf(schema)} in the ${place}`, prose(description ?? '')];
}

function responseRow([status, { description, content = {} }]) {
  const [body] = Object.entries(content);
  return [`<code>${status}</code>`, body ? typeOf(body[1].schema) : '', prose(description)];
}

function schemaSection(name, schema, prefix) {
  return `<h3 id="${prefix}${name}"><code>${text(name)}</code></h3>${schema.description ? `<p>${prose(schema.description)}</p>` : ''}${fields(schema, prefix)}`;
}

/** A table of an object's fields; a reference leads to its section. */
function fields(schema, prefix = '') {
  const { properties, required = [] } = schema;
  if (!properties) return `<p>${typeOf(schema, prefix)}</p>`;
  const more = schema.additionalProperties === true ? '<p class="note">And any further fields.</p>' : '';
  const rows = Object.entries(properties).map(([name, field]) => [
    `<code>${text(name)}</code>${required.includes(name) ? '' : '?'}`,
    typeOf(field, prefix),
    prose(field.description ?? ''),
  ]);
  return table(['Field', 'Type', 'Meaning'], rows) + more;
}

function typeOf(schema, prefix = '') {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return `<a href="#${prefix}${name}">${text(name)}</a>`;
  }
  if (schema.const !== undefined) return `<code>${text(JSON.stringify(schema.const))}</code>`;
  if (schema.enum) return schema.enum.map((value) => `<code>${text(JSON.stringify(value))}</code>`).join(' | ');
  if (schema.allOf) return schema.allOf.map((each) => typeOf(each, prefix)).join(' & ');
  const choices = schema.oneOf ?? schema.anyOf;
  const isAny = choices?.some(({ type }) => type === 'object') && choices.some(({ type }) => type === 'array');
  if (isAny) return 'any JSON';
  if (choices) return choices.map((each) => typeOf(each, prefix)).join(' | ');
  const names = [schema.type ?? 'any JSON'].flat().map((name) => {
    if (name === 'array') return `${typeOf(schema.items ?? {}, prefix)}[]`;
    return name === 'object' ? shape(schema) : text(name);
  });
  return [...names, ...(schema.nullable ? ['null'] : [])].join(' | ');
}

/** A small object is shown by its fields. */
function shape({ properties = {}, required = [] }) {
  const names = Object.keys(properties).map((name) => (required.includes(name) ? name : `${name}?`));
  return names.length > 0 && names.length <= 6 ? `<code>{ ${text(names.join(', '))} }</code>` : 'object';
}

const table = (heads, rows) =>
  `<table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead><tbody>${rows
    .map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
    .join('')}</tbody></table>`;

const text = (value) =>
  String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const prose = (value) => text(value).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
const capitalised = (word) => word[0].toUpperCase() + word.slice(1);
