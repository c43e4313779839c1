/**
 * Reads an object by the class-validator rules of a class: frames, bodies and queries alike.
 *
 *  1. Values are not copied or converted. No other library walks them, so a field named `constructor` is kept.
 *  2. class-validator gathers a class's rules and prepares its errors for every object: 25 KB a frame, two fifths of all
 *     garbage while thousands of clients reconnect. So the rules are read once, and an object that keeps them is accepted here.
 *  3. An object that breaks a rule goes to the library, which names the faulty fields. So does a class with an unknown kind
 *     of rule. Nothing is accepted here that the library would refuse.
 */
import { getMetadataStorage, validateSync, ValidationTypes, type ValidatorConstraintInterface } from 'class-validator';
import type { ValidationError } from 'class-validator';
import { isObject } from '../../protocol/decode.js';
import type { FieldErrors } from '../../protocol/messages.js';
import { InvalidMessageError } from '../notification.errors.js';

type RuleClass<T extends object = object> = new () => T;
type Fields = Record<string, unknown>;
/** Reads an object. @returns `undefined` for one that breaks a rule */
type Quick = (given: Fields) => object | undefined;
type Metadata = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];
/** The library's types declare `groups` as always present; it may be absent. */
type Rule = Omit<Metadata, 'groups'> & { groups?: string[] };
type Check = (value: unknown, given: Fields) => boolean;

/** The context of `ValidateNested` that names the nested class for `RuleReader`. */
interface NestedContext {
  nested: RuleClass;
}

/** For `@ValidateNested(of(ChoiceDto))`: names the class of the nested objects, which class-validator itself takes from instances. */
export const of = (nested: RuleClass): { context: NestedContext } => ({ context: { nested } });

export class RuleReader<T extends object> {
  private readonly quick: Quick;

  /** @param unknownFields whether an unknown field is dropped, as old clients send some, or refused, since it may be misspelt */
  constructor(
    private readonly ruleClass: RuleClass<T>,
    private readonly unknownFields: 'drop' | 'refuse',
  ) {
    this.quick = quickReader(ruleClass, unknownFields === 'refuse');
  }

  /** @throws InvalidMessageError naming the faulty fields */
  read(given: unknown): T {
    if (!isObject(given)) throw new InvalidMessageError({ '(body)': 'must be a JSON object' });
    return (this.quick(given) as T | undefined) ?? this.judge(given);
  }

  private judge(given: Fields): T {
    const instance = instanceOf(this.ruleClass, given) as T;
    const errors = validateSync(instance, { validationError: { target: false, value: false } });
    const unknown = this.unknownFields === 'refuse' ? unknownFieldsOf(this.ruleClass, given, '') : {};
    const fields = { ...fieldErrors(errors, given), ...unknown };
    if (Object.keys(fields).length > 0) throw new InvalidMessageError(fields);
    return instance;
  }
}

/** Errors by field name; nested names are joined with a dot. */
function fieldErrors(errors: ValidationError[], given: unknown, prefix = ''): FieldErrors {
  const fields: FieldErrors = {};
  for (const { property, constraints, children } of errors) {
    const name = prefix + property;
    const value = (given as Fields | undefined)?.[property];
    if (constraints)
      fields[name] = value === undefined ? 'is required' : Object.values(constraints).join(', ').replaceAll(`${property} `, '');
    Object.assign(fields, fieldErrors(children ?? [], value, `${name}.`));
  }
  return fields;
}

function unknownFieldsOf(ruleClass: RuleClass, given: unknown, prefix: string): FieldErrors {
  if (Array.isArray(given))
    return Object.assign(
      {},
      ...given.map((each, index) => unknownFieldsOf(ruleClass, each, `${prefix}${index}.`)),
    ) as FieldErrors;
  if (!isObject(given)) return {};
  const rules = rulesOf(ruleClass);
  const fields: FieldErrors = {};
  for (const name of Object.keys(given)) {
    const own = rules.get(name);
    const nested = own && nestedClassOf(own);
    if (!own) fields[prefix + name] = 'is no field of this';
    else if (nested) Object.assign(fields, unknownFieldsOf(nested, given[name], `${prefix}${name}.`));
  }
  return fields;
}

/** Copies the known fields; nested objects become instances of their classes. */
function instanceOf(ruleClass: RuleClass, given: Fields): object {
  const instance = new ruleClass() as Fields;
  for (const [name, rules] of rulesOf(ruleClass)) {
    if (!Object.hasOwn(given, name)) continue;
    const nested = nestedClassOf(rules);
    const read = (value: unknown): unknown => (nested && isObject(value) ? instanceOf(nested, value) : value);
    const value = given[name];
    instance[name] = nested && Array.isArray(value) ? value.map(read) : read(value);
  }
  return instance;
}

function rulesOf(ruleClass: RuleClass): Map<string, Rule[]> {
  const storage = getMetadataStorage();
  return new Map(Object.entries(storage.groupByPropertyName(storage.getTargetValidationMetadatas(ruleClass, '', false, false))));
}

function nestedClassOf(rules: Rule[]): RuleClass | undefined {
  const rule = rules.find(({ type }) => type === ValidationTypes.NESTED_VALIDATION);
  return (rule?.context as NestedContext | undefined)?.nested;
}

interface Field {
  name: string;
  /** The field is checked only if all of these hold. */
  conditions: Check[];
  checks: Check[];
  nested: Quick | undefined;
}

function quickReader(ruleClass: RuleClass, refusesUnknown: boolean): Quick {
  const fields = [...rulesOf(ruleClass)].map(([name, rules]) => fieldOf(ruleClass, name, rules, refusesUnknown));
  const names = new Set(fields.map((field) => field?.name));
  return (given) => {
    if (refusesUnknown && !Object.keys(given).every((name) => names.has(name))) return undefined;
    const instance = new ruleClass() as Fields;
    for (const field of fields) {
      if (!field) return undefined;
      const { name, conditions, checks, nested } = field;
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      instance[name] = value;
      if (!conditions.every((holds) => holds(value, given))) continue;
      if (!checks.every((accepts) => accepts(value, given))) return undefined;
      if (!nested) continue;
      instance[name] = Array.isArray(value) ? allOf(value, nested) : oneOf(value, nested);
      if (instance[name] === undefined) return undefined;
    }
    return instance;
  };
}

function oneOf(value: unknown, nested: Quick): object | undefined {
  return isObject(value) ? nested(value) : undefined;
}

function allOf(values: unknown[], nested: Quick): object[] | undefined {
  const read = values.map((value) => oneOf(value, nested));
  return read.includes(undefined) ? undefined : (read as object[]);
}

/** @returns `undefined` for a rule of an unknown kind */
function fieldOf(ruleClass: RuleClass, name: string, rules: Rule[], refusesUnknown: boolean): Field | undefined {
  const field: Field = { name, conditions: [], checks: [], nested: undefined };
  for (const rule of rules) {
    if (rule.each || rule.validateIf || rule.groups?.length) return undefined;
    switch (rule.type) {
      case ValidationTypes.CONDITIONAL_VALIDATION: {
        const condition = rule.constraints[0] as (given: Fields, value: unknown) => boolean;
        field.conditions.push((value, given) => condition(given, value));
        break;
      }
      case ValidationTypes.WHITELIST:
        break;
      case ValidationTypes.NESTED_VALIDATION:
        if (!rule.context) return undefined;
        field.nested = quickReader((rule.context as NestedContext).nested, refusesUnknown);
        break;
      case ValidationTypes.CUSTOM_VALIDATION:
        for (const { instance } of getMetadataStorage().getTargetValidatorConstraints(rule.constraintCls))
          field.checks.push(checkOf(ruleClass, name, rule, instance));
        break;
      default:
        return undefined;
    }
  }
  return field;
}

/** An asynchronous validator counts as failed, so the object goes to the library. */
function checkOf(ruleClass: RuleClass, property: string, rule: Rule, constraint: ValidatorConstraintInterface): Check {
  const { constraints } = rule;
  return (value, object) =>
    constraint.validate(value, { targetName: ruleClass.name, property, object, value, constraints }) === true;
}
