/**
 * JSON Schemas (draft 07) of the protocol's types, read from their source: types, comments and the tags `@minimum`, `@maximum`,
 * `@exclusiveMinimum`, `@minLength`, `@maxLength`, `@minItems`, `@maxItems`, `@pattern` and `@integer`.
 *
 * It knows the kinds of types that the protocol uses, and refuses any other by name.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './tools.mjs';

const FOLDER = join(ROOT, 'src/protocol');
const { SyntaxKind } = ts;
const NUMERIC_TAGS = ['minimum', 'maximum', 'exclusiveMinimum', 'minLength', 'maxLength', 'minItems', 'maxItems'];
/** Types that a schema says more simply. */
const KNOWN = {
  Json: { description: 'Any JSON.' },
  JsonObject: { type: 'object', additionalProperties: true },
};

export class ProtocolSchemas {
  /** By the name of the type. References read `#/components/schemas/<name>`. */
  schemas = {};
  #checker;
  #declarations = new Map();

  constructor() {
    const files = readdirSync(FOLDER).map((name) => join(FOLDER, name));
    const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, strict: true, types: [], noLib: true };
    const program = ts.createProgram(files, options);
    this.#checker = program.getTypeChecker();
    for (const file of program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(FOLDER)))
      for (const statement of file.statements)
        if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
          this.#declarations.set(statement.name.text, statement);
  }

  /** A type's schema is added, with those that it refers to. @returns the reference */
  refer(name) {
    const known = KNOWN[name];
    if (known) return known;
    if (!(name in this.schemas)) {
      this.schemas[name] = undefined; // a type may refer to itself
      this.schemas[name] = this.#declared(this.#declaration(name));
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  /** The members of an interface whose keys name messages: for each key, the types of its union. */
  typesByKey(name) {
    return Object.fromEntries(
      this.#declaration(name).members.map((member) => {
        const types = ts.isUnionTypeNode(member.type) ? member.type.types : [member.type];
        return [member.name.text, types.map((type) => type.typeName.text)];
      }),
    );
  }

  #declaration(name) {
    const declaration = this.#declarations.get(name);
    if (!declaration) throw new Error(`${name} is no type of the protocol`);
    return declaration;
  }

  #declared(declaration) {
    const schema = ts.isInterfaceDeclaration(declaration)
      ? this.#object(this.#members(declaration))
      : this.#schema(declaration.type);
    return { ...documented(declaration), ...schema };
  }

  /** Of an interface: its own members and those of what it extends. */
  #members(declaration) {
    const bases = (declaration.heritageClauses ?? []).flatMap(({ types }) => types);
    const own = new Map();
    for (const { expression } of bases)
      for (const member of this.#members(this.#declaration(expression.text))) own.set(keyOf(member), member);
    for (const member of declaration.members) own.set(keyOf(member), member);
    return [...own.values()];
  }

  #object(members) {
    const schema = { type: 'object', properties: {} };
    const required = [];
    for (const member of members) {
      if (ts.isIndexSignatureDeclaration(member)) {
        schema.additionalProperties = member.type.kind === SyntaxKind.UnknownKeyword ? true : this.#schema(member.type);
        continue;
      }
      const name = member.name.text;
      schema.properties[name] = described(this.#schema(member.type), documented(member));
      if (!member.questionToken) required.push(name);
    }
    return required.length > 0 ? { ...schema, required } : schema;
  }

  #schema(node) {
    switch (node.kind) {
      case SyntaxKind.StringKeyword:
        return { type: 'string' };
      case SyntaxKind.NumberKeyword:
        return { type: 'number' };
      case SyntaxKind.BooleanKeyword:
        return { type: 'boolean' };
      case SyntaxKind.UnknownKeyword:
        return {};
      case SyntaxKind.LiteralType:
        return this.#literal(node.literal);
      case SyntaxKind.ParenthesizedType:
        return this.#schema(node.type);
      case SyntaxKind.ArrayType:
        return { type: 'array', items: this.#schema(node.elementType) };
      case SyntaxKind.TypeLiteral:
        return this.#object(node.members);
      case SyntaxKind.UnionType:
        return union(node.types.map((type) => this.#schema(type)));
      case SyntaxKind.TypeReference:
        return this.#reference(node);
      default:
        return this.#names(node);
    }
  }

  #literal(literal) {
    if (literal.kind === SyntaxKind.NullKeyword) return { type: 'null' };
    if (literal.kind === SyntaxKind.TrueKeyword) return { const: true };
    if (literal.kind === SyntaxKind.FalseKeyword) return { const: false };
    if (ts.isStringLiteral(literal)) return { type: 'string', const: literal.text };
    throw new Error(`no schema for the literal ${literal.getText()}`);
  }

  #reference(node) {
    const name = node.typeName.text;
    if (name !== 'Record') return this.refer(name);
    return { type: 'object', additionalProperties: this.#schema(node.typeArguments[1]) };
  }

  /** A type that is computed, such as `keyof typeof CODES`: the names that it has. */
  #names(node) {
    const type = this.#checker.getTypeFromTypeNode(node);
    const types = type.isUnion() ? type.types : [type];
    if (!types.every((one) => one.isStringLiteral())) throw new Error(`no schema for ${node.getText()}`);
    return { type: 'string', enum: types.map(({ value }) => value) };
  }
}

const keyOf = (member) => (ts.isIndexSignatureDeclaration(member) ? '[]' : member.name.text);

/** What a comment and its tags say. */
function documented(node) {
  const [comment] = node.jsDoc ?? [];
  if (!comment) return {};
  const schema = {};
  const text = ts.getTextOfJSDocComment(comment.comment);
  if (text) schema.description = text.replaceAll(/\s+/g, ' ');
  for (const tag of comment.tags ?? []) {
    const name = tag.tagName.text;
    const value = ts.getTextOfJSDocComment(tag.comment)?.trim() ?? '';
    if (name === 'integer') schema.type = 'integer';
    else if (name === 'pattern') schema.pattern = value;
    else if (NUMERIC_TAGS.includes(name)) schema[name] = Number(value);
    else throw new Error(`no keyword for the tag @${name}`);
  }
  return schema;
}

/** In draft 07 nothing counts beside a reference. */
function described(schema, { type, ...words }) {
  if (Object.keys(words).length === 0 && !type) return schema;
  if (schema.$ref) return { ...words, allOf: [schema] };
  const types = [schema.type].flat().map((one) => (one === 'number' && type ? type : one));
  return { ...schema, ...(type && { type: types.length === 1 ? types[0] : types }), ...words };
}

function union(schemas) {
  const isLiteral = ({ const: value }) => typeof value === 'string';
  const literals = schemas.filter(isLiteral).map(({ const: value }) => value);
  const others = schemas.filter((schema) => !isLiteral(schema));
  const all = literals.length > 0 ? [{ type: 'string', enum: literals }, ...others] : others;
  if (all.length === 1) return all[0];
  // `string | null` and the like are one schema.
  if (all.every((schema) => Object.keys(schema).length === 1 && typeof schema.type === 'string'))
    return { type: all.map(({ type }) => type) };
  const [object, nothing] = all;
  if (all.length === 2 && nothing.type === 'null' && typeof object.type === 'string')
    return { ...object, type: [object.type, 'null'] };
  return { anyOf: all };
}
