/** One way to check what comes in, for frames and for REST bodies: class-validator, with the faulty fields named. */
import { ValidationPipe, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { ValidateBy, type ValidationError } from 'class-validator';
import { findStructuralProblem } from '../protocol/decode.js';
import { isIdentifier, MAX_IDENTIFIER_LENGTH } from '../protocol/identifier.js';
import type { FieldErrors } from '../protocol/messages.js';
import { InvalidMessageError } from './notification.errors.js';

const IDENTIFIER_RULE = `must have 1 to ${MAX_IDENTIFIER_LENGTH} characters of well-formed Unicode without NUL`;

/** A field that names a user, task, channel, message or key. */
export const IsIdentifier = (): PropertyDecorator =>
  ValidateBy({ name: 'isIdentifier', validator: { validate: isIdentifier, defaultMessage: () => IDENTIFIER_RULE } });

/** A path parameter that names a user or a task; the fault is named as it stands in the path. */
export class IdentifierPipe implements PipeTransform {
  transform(value: unknown, { data: name = '(path)' }: ArgumentMetadata): string {
    if (isIdentifier(value)) return value;
    throw new InvalidMessageError({ [name]: IDENTIFIER_RULE });
  }
}

export const WITHOUT_THE_INPUT = { target: false, value: false };

/** For REST bodies: an unknown field is refused, since a misspelt option must not fall back to a default. */
export const bodyPipe = (): ValidationPipe =>
  new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    validationError: WITHOUT_THE_INPUT,
    exceptionFactory: (errors) => new InvalidMessageError(fieldErrors(errors)),
  });

/** For REST bodies, first of all: what comes after walks them recursively. Frames are checked when they are decoded. */
export class StructurePipe implements PipeTransform {
  transform(value: unknown): unknown {
    const problem = findStructuralProblem(value);
    if (problem !== undefined) throw new InvalidMessageError({ '(body)': problem });
    return value;
  }
}

/** By the names of the fields, nested ones with a point between. */
export function fieldErrors(errors: ValidationError[], prefix = ''): FieldErrors {
  const fields: FieldErrors = {};
  for (const { property, constraints, children } of errors) {
    const name = prefix + property;
    if (constraints) fields[name] = Object.values(constraints).join(', ').replaceAll(`${property} `, '');
    Object.assign(fields, fieldErrors(children ?? [], `${name}.`));
  }
  return fields;
}
