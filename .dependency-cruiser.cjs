/**
 * Who may import whom. Type imports count like any other.
 *
 * The layers, lowest first: a file may import from its own layer and from those below it, never from above.
 */
const LAYERS = [
  { name: 'protocol', path: '^src/protocol/' },
  {
    name: 'options, errors, metrics, pacing, tracing, validation, isolation',
    path: [
      '^src/notification/(isolation|metrics|pacing|tracing|validation)/',
      '^src/notification/(notification\\.(options|errors|metrics)|protocol-error)\\.ts$',
      // What an application implements or fills in stands beside what uses it.
      '^src/notification/access/(access-policy|audit-entry|authenticator|worker-group)\\.ts$',
      '^src/notification/webhook/webhook-options\\.ts$',
    ],
  },
  { name: 'engine', path: '^src/notification/engine/' },
  { name: 'connection', path: '^src/notification/connection/' },
  {
    name: 'subscription, confirmation, task, access, webhook',
    path: [
      '^src/notification/(subscription|confirmation|task)/',
      '^src/notification/access/(?!(access-policy|audit-entry|authenticator|worker-group)\\.ts$)',
      '^src/notification/webhook/(?!webhook-options\\.ts$)',
    ],
  },
  { name: 'dispatcher', path: '^src/notification/dispatcher\\.ts$' },
  { name: 'service', path: ['^src/notification/notification\\.(service|actions|requests)\\.ts$', '^src/notification/server/'] },
  { name: 'gateway, http', path: '^src/notification/(gateway|http)/' },
  { name: 'module', path: '^src/notification/(notification\\.module(-definition)?|engine\\.provider)\\.ts$' },
  { name: 'index', path: '^src/notification/(index|service-door)\\.ts$' },
  { name: 'app', path: '^src/([^/]+\\.ts$|app/)' },
];

const NEST = '(^|node_modules/)@nestjs/';
const WS = '(^|node_modules/)(ws|@types/ws)(/|$)';
const NEST_SOCKETS = '(^|node_modules/)@nestjs/(platform-ws|websockets)(/|$)';

const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

const upward = LAYERS.slice(0, -1).map(({ name, path }, index) => {
  const above = LAYERS.slice(index + 1);
  return forbid(
    `upward from ${name}`,
    'a lower layer knows nothing of those above it',
    { path },
    { path: above.flatMap((layer) => layer.path) },
  );
});

module.exports = {
  forbidden: [
    ...upward,
    forbid(
      'what runs knows no test kit',
      'a test double has no way into production',
      { path: '^src/', pathNot: '^src/testing/' },
      { path: '^src/testing/' },
    ),
    forbid('no circles', 'nobody can be read, or tested, alone', {}, { circular: true }),
    forbid(
      'protocol imports nothing',
      'clients and browsers use it too',
      { path: '^src/protocol/' },
      { pathNot: '^src/protocol/' },
    ),
    forbid(
      'client imports only protocol',
      'it runs where no server is',
      { path: '^src/client/' },
      { pathNot: '^src/(client|protocol)/' },
    ),
    forbid(
      'hooks know only the client and React',
      'they run where no server is',
      { path: '^src/react/' },
      { pathNot: ['^src/(react|client/index\\.ts$|protocol)', '(^|node_modules/)(@types/)?react/'] },
    ),
    forbid(
      'the page knows only the client and the wire',
      'it is bundled for browsers',
      { path: '^src/page/' },
      { pathNot: ['^src/(page|client|protocol)/', '(^|node_modules/)lit-html/'] },
    ),
    forbid(
      'the server knows no client',
      'neither SDK nor web page is part of it',
      { path: '^src/', pathNot: '^src/(client|react|page)/' },
      { path: '^src/(client|react|page)/' },
    ),
    forbid(
      'index.ts is the door, for others',
      'inside, import the file itself',
      { path: '^src/notification/' },
      { path: '^src/notification/index\\.ts$' },
    ),
    forbid(
      'others use the door',
      'index.ts exports the public names; everything else belongs to the module',
      // The test kit runs the module's own parts in another way. The stand-alone service has a second door.
      { path: '^(src|examples)/', pathNot: '^src/(notification|testing|app)/|^src/(main|app\\.module)\\.ts$' },
      { path: '^src/notification/', pathNot: '^src/notification/index\\.ts$' },
    ),
    forbid(
      'the stand-alone service uses the two doors',
      'what neither exports belongs to the module',
      { path: '^src/(app/|(main|app\\.module)\\.ts$)' },
      { path: '^src/notification/', pathNot: '^src/notification/(index|service-door)\\.ts$' },
    ),
    forbid(
      'only the module chooses an engine',
      'everybody else knows the interface',
      { path: '^src/', pathNot: '^src/(testing/|notification/(engine\\.provider\\.ts$|engine/(embedded|redis)/))' },
      { path: '^src/notification/engine/(embedded|redis)/' },
    ),
    forbid(
      'engines do not know each other',
      'one can be read, or removed, without the other',
      { path: '^src/notification/engine/(embedded|redis)/' },
      { path: '^src/notification/engine/(embedded|redis)/', pathNot: '^src/notification/engine/$1/' },
    ),
    forbid(
      'an engine knows no Nest and no socket',
      'engine.ts says so',
      { path: '^src/notification/engine/' },
      { path: [NEST, WS] },
    ),
    forbid(
      'a connection knows no Nest and no ws',
      'it knows a socket by a small interface',
      { path: '^src/notification/connection/' },
      { path: [NEST, WS] },
    ),
    forbid(
      'sockets of Nest are the gateway’s',
      'gateways and their adapter are its only users',
      { path: '^src/notification/', pathNot: '^src/notification/gateway/' },
      { path: NEST_SOCKETS },
    ),
    forbid(
      'only the adapter knows platform-ws',
      'it is the one file that knows Nest’s socket plumbing',
      { path: '^src/', pathNot: '^src/notification/gateway/notification-ws\\.adapter\\.ts$' },
      { path: '(^|node_modules/)@nestjs/platform-ws(/|$)' },
    ),
    forbid(
      'setting up needs nothing installed',
      'setup.mjs runs in a fresh clone, and installs; what an installed package is needed for is loaded later, by import()',
      { path: '^scripts/(setup|build|markdown-pages|system|test|tools)\\.mjs$' },
      {
        dependencyTypesNot: ['core', 'dynamic-import'],
        pathNot: '^scripts/(setup|build|markdown-pages|system|test|tools)\\.mjs$',
      },
    ),
    forbid(
      'what is imported exists',
      'a typo, or a file that is gone',
      // Applications of their own, with packages of their own. The browser suite builds them.
      { pathNot: '^examples/element/' },
      { couldNotResolve: true, pathNot: '/dist/' },
    ),
    forbid(
      'what runs is a dependency',
      'a development dependency, or one that somebody else happens to bring, is not there in production',
      // The page is bundled with what it imports.
      { path: '^src/', pathNot: '^src/page/' },
      {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        // The module's peers are installed here for development, and by the application elsewhere.
        dependencyTypesNot: ['type-only', 'npm-peer'],
        pathNot: 'node_modules/@types/',
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Apps with packages and settings of their own: `npm run test:pack` runs them.
    exclude: { path: '^examples/apps/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
