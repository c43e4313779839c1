/**
 * Checks frames by the class-validator rules of their classes. Unknown fields are ignored, as old clients send some.
 *
 * class-validator gathers a class's rules and prepares its errors anew for every object: 25 KB a frame, two fifths of all
 * garbage while thousands of clients come back. So the rules are read from it once, and a frame that keeps them all is
 * taken at once. A frame that does not, and a class with a rule of a kind that is not known here, goes the library's own
 * way, which names the faulty fields: nothing is accepted here that the library would refuse.
 */
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync, ValidationTypes, type ValidatorConstraintInterface } from 'class-validator';
import { isObject } from '../../protocol/decode.js';
import { InvalidMessageError } from '../notification.errors.js';
import { fieldErrors, WITHOUT_THE_INPUT } from '../validation.js';

type FrameClass = new () => object;
type Fields = Record<string, unknown>;
/** Makes a frame of what came. @returns `undefined` for one that breaks a rule */
type Reader = (given: Fields) => object | undefined;
type Metadata = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];
/** Its own types have it that there always are groups. */
type Rule = Omit<Metadata, 'groups'> & { groups?: string[] };
type Check = (value: unknown, given: Fields) => boolean;

export class FramePipe implements PipeTransform {
  private readonly readers = new Map<unknown, Reader>();

  transform(value: unknown, { metatype }: ArgumentMetadata): unknown {
    return this.readerOf(metatype as FrameClass)(value as Fields) ?? judge(metatype as FrameClass, value);
  }

  private readerOf(frameClass: FrameClass): Reader {
    const known = this.readers.get(frameClass);
    if (known) return known;
    const reader = readerOf(frameClass);
    this.readers.set(frameClass, reader);
    return reader;
  }
}

/** @throws InvalidMessageError naming the faulty fields */
function judge(frameClass: FrameClass, value: unknown): object {
  const frame = plainToInstance(frameClass, value);
  const errors = validateSync(frame, { whitelist: true, validationError: WITHOUT_THE_INPUT });
  if (errors.length > 0) throw new InvalidMessageError(fieldErrors(errors));
  return frame;
}

/** What a `ValidateNested` carries, so that its class is known here too. */
export interface NestedContext {
  nested: FrameClass;
}

interface Field {
  name: string;
  /** Only where all of these hold is the field looked at. */
  conditions: Check[];
  checks: Check[];
  nested: Reader | undefined;
}

function readerOf(frameClass: FrameClass): Reader {
  const storage = getMetadataStorage();
  const rules = storage.groupByPropertyName(storage.getTargetValidationMetadatas(frameClass, '', false, false));
  const fields = Object.entries(rules).map(([name, own]) => fieldOf(frameClass, name, own));
  return (given) => {
    const frame = new frameClass() as Fields;
    for (const field of fields) {
      if (!field) return undefined;
      const { name, conditions, checks, nested } = field;
      const value = given[name];
      frame[name] = value;
      if (!conditions.every((holds) => holds(value, given))) continue;
      if (!checks.every((accepts) => accepts(value, given))) return undefined;
      if (!nested) continue;
      frame[name] = Array.isArray(value) ? allOf(value, nested) : oneOf(value, nested);
      if (frame[name] === undefined) return undefined;
    }
    return frame;
  };
}

function oneOf(value: unknown, nested: Reader): object | undefined {
  return isObject(value) ? nested(value) : undefined;
}

function allOf(values: unknown[], nested: Reader): object[] | undefined {
  const read = values.map((value) => oneOf(value, nested));
  return read.includes(undefined) ? undefined : (read as object[]);
}

/** @returns `undefined` where there is a rule of a kind that is not known here */
function fieldOf(frameClass: FrameClass, name: string, rules: Rule[]): Field | undefined {
  const field: Field = { name, conditions: [], checks: [], nested: undefined };
  for (const rule of rules) {
    if (rule.each || rule.validateIf || rule.groups?.length) return undefined;
    switch (rule.type) {
      case ValidationTypes.CONDITIONAL_VALIDATION: {
        const condition = rule.constraints[0] as (given: Fields, value: unknown) => boolean;
        field.conditions.push((value, given) => condition(given, value));
        break;
      }
      case ValidationTypes.NESTED_VALIDATION:
        if (!rule.context) return undefined;
        field.nested = readerOf((rule.context as NestedContext).nested);
        break;
      case ValidationTypes.CUSTOM_VALIDATION:
        for (const { instance } of getMetadataStorage().getTargetValidatorConstraints(rule.constraintCls))
          field.checks.push(checkOf(frameClass, name, rule, instance));
        break;
      default:
        return undefined;
    }
  }
  return field;
}

/** A check that is not done at once, with a promise, counts as failed: the library is asked. */
function checkOf(frameClass: FrameClass, property: string, rule: Rule, constraint: ValidatorConstraintInterface): Check {
  const { constraints } = rule;
  return (value, object) =>
    constraint.validate(value, { targetName: frameClass.name, property, object, value, constraints }) === true;
}
