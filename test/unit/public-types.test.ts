/**
 * The module's door, read by the compiler: an application can import every type of a public signature.
 */
import 'reflect-metadata';
import ts from 'typescript';
import * as door from '../../src/notification/index.js';

const DOOR = 'src/notification/index.ts';

/** Nest constructs these: what their constructors take is no part of their signature. */
const CONSTRUCTED_BY_NEST = new Set(['NotificationService', 'NotificationModule']);

/** Private members, and overrides that only Nest calls. */
const HIDDEN = new Set([ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.OverrideKeyword]);

const { config } = ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)) as { config: object };
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
const program = ts.createProgram([DOOR], { ...options, noEmit: true });
const checker = program.getTypeChecker();
const own = (symbol: ts.Symbol): boolean =>
  (symbol.declarations ?? []).some((declaration) => /\/src\//.test(declaration.getSourceFile().fileName));
const original = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;

function doorSymbols(): Map<ts.Symbol, string> {
  const file = program.getSourceFile(DOOR);
  const door = file && checker.getSymbolAtLocation(file);
  if (!door) throw new Error('the door is not there');
  return new Map(checker.getExportsOfModule(door).map((symbol) => [original(symbol), symbol.name]));
}

/** The module's own types that a declaration's public part names. */
function typesNamedIn(declaration: ts.Node): Set<ts.Symbol> {
  const found = new Set<ts.Symbol>();
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || ts.isDecorator(node)) return;
    const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
    if (modifiers.some(({ kind }) => HIDDEN.has(kind))) return;
    if (ts.isConstructorDeclaration(node) && CONSTRUCTED_BY_NEST.has(node.parent.name?.text ?? '')) return;
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined;
    const symbol = name && checker.getSymbolAtLocation(name);
    if (symbol && own(original(symbol)) && !(original(symbol).flags & ts.SymbolFlags.TypeParameter)) found.add(original(symbol));
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return found;
}

/** Helpers of which a consumer sees the result, not the name. */
const TRANSPARENT = new Set(['Page', 'ConfigurableModuleClass', 'ConfirmationBase', 'StreamPosition', 'Optional']);

it('exports every type that a public signature names', () => {
  const exported = doorSymbols();
  const missing = new Set<string>();
  for (const [symbol, name] of exported)
    for (const declaration of own(symbol) ? (symbol.declarations ?? []) : [])
      for (const type of typesNamedIn(declaration))
        if (!exported.has(type) && !TRANSPARENT.has(type.name)) missing.add(`${type.name}, in ${name}`);
  expect([...missing]).toEqual([]);
});

it('exports nothing of the engine, the hub and the callers’ rights', () => {
  const names = [...doorSymbols().values()];
  expect(names).toContain('NotificationService');
  const internal =
    /^(Engine|Scope|AuditActor|Hub|Connection|NotificationActions|Answerer|CancelRequest|Task|Page|Device|Presence)$/;
  expect(names.filter((name) => internal.test(name))).toEqual([]);
});

it('the module exports to an application only providers that it can name', () => {
  const providers = Reflect.getMetadata('exports', door.NotificationModule) as unknown[];
  expect(providers).toContain(door.NotificationService);
  expect(providers.filter((provider) => !Object.values<unknown>(door).includes(provider))).toEqual([]);
});
