/** One way to check what comes in, for frames and for REST bodies: class-validator, with the faulty fields named. */
import { applyDecorators, ValidationPipe, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { IsNotEmpty, IsString, Matches, MaxLength, validateSync, type ValidationError } from 'class-validator';
import { findStructuralProblem } from '../protocol/decode.js';
import { IDENTIFIER_TEXT, isIdentifier, MAX_IDENTIFIER_LENGTH } from '../protocol/identifier.js';
import type { FieldErrors } from '../protocol/messages.js';
import { InvalidMessageError } from './notification.errors.js';

/** A field that names a user, task, channel, message or key. */
export const IsIdentifier = (): PropertyDecorator =>
  applyDecorators(
    IsString(),
    IsNotEmpty(),
    MaxLength(MAX_IDENTIFIER_LENGTH),
    Matches(IDENTIFIER_TEXT, { message: 'must be well-formed Unicode without NUL' }),
  );

/** A path parameter that names a user or a task; the fault is named as it stands in the path. */
export class IdentifierPipe implements PipeTransform {
  transform(value: unknown, { data: name = '(path)' }: ArgumentMetadata): string {
    if (isIdentifier(value)) return value;
    throw new InvalidMessageError({
      [name]: `must have 1 to ${MAX_IDENTIFIER_LENGTH} characters of well-formed Unicode without NUL`,
    });
  }
}

const WITHOUT_THE_INPUT = { target: false, value: false };

/**
 * For frames: unknown fields are ignored, as old clients send some. A frame is an object of JSON that has been checked
 * when it was decoded, so that nothing of Nest's own pipe is missed; which costs twice as much.
 */
export class FramePipe implements PipeTransform {
  transform(value: unknown, { metatype, type }: ArgumentMetadata): unknown {
    // Pipes run on the connection as well, which is no frame; and `ping` takes what it is given.
    if (type !== 'body' || metatype === undefined || metatype === Object) return value;
    const frame: unknown = plainToInstance(metatype as new () => object, value);
    const errors = validateSync(frame as object, { whitelist: true, validationError: WITHOUT_THE_INPUT });
    if (errors.length > 0) throw new InvalidMessageError(fieldErrors(errors));
    return frame;
  }
}

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

function fieldErrors(errors: ValidationError[], prefix = ''): FieldErrors {
  const fields: FieldErrors = {};
  for (const { property, constraints, children } of errors) {
    const name = prefix + property;
    if (constraints) fields[name] = Object.values(constraints).join(', ').replaceAll(`${property} `, '');
    Object.assign(fields, fieldErrors(children ?? [], `${name}.`));
  }
  return fields;
}
