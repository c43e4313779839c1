/** Fields of bodies and queries: each decorator checks (class-validator) and describes (OpenAPI) in one. */
import { applyDecorators } from '@nestjs/common';
import type { ApiPropertyOptions } from '@nestjs/swagger';
import { ApiProperty } from './api-docs.js';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsNumber,
  IsObject,
  IsOptional,
  IsPositive,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { MAX_IDENTIFIER_LENGTH, VIA_TEXT } from '../../protocol/identifier.js';
import type { NestedContext } from '../rules.js';
import { HasNoNul, IsIdentifier } from '../validation.js';

/** Whether a field may be left out, or `null`, and what it is then. */
interface Presence {
  optional?: boolean;
  nullable?: boolean;
  default?: string | number | boolean;
}

type Described = { description: string } & Presence;

function field(given: Described, schema: ApiPropertyOptions, ...checks: PropertyDecorator[]): PropertyDecorator {
  const { optional = false, description, nullable, default: fallback } = given;
  const described = {
    ...schema,
    description,
    required: !optional,
    ...(nullable && { nullable }),
    ...(fallback !== undefined && { default: fallback }),
  };
  return applyDecorators(...(optional ? [IsOptional()] : []), ...checks, ApiProperty(described as ApiPropertyOptions));
}

export const Identifier = (given: Described): PropertyDecorator =>
  field(given, { type: String, minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH }, IsIdentifier());

/** The door by which an answer came. */
export const Via = (given: Described): PropertyDecorator =>
  field(
    given,
    { type: String, pattern: VIA_TEXT.source },
    Matches(VIA_TEXT, { message: 'via must have 1 to 64 of A-Z a-z 0-9 . _ : -, the first a letter or digit' }),
  );

export const Text = (given: Described & { minLength?: 1; maxLength?: number; noNul?: true }): PropertyDecorator => {
  const { minLength, maxLength, noNul } = given;
  const checks = [
    IsString(),
    ...(minLength ? [IsNotEmpty()] : []),
    ...(maxLength ? [MaxLength(maxLength)] : []),
    ...(noNul ? [HasNoNul()] : []),
  ];
  return field(given, { type: String, ...(minLength && { minLength }), ...(maxLength && { maxLength }) }, ...checks);
};

export const Flag = (given: Described): PropertyDecorator => field(given, { type: Boolean }, IsBoolean());

export const OneOf = (values: readonly string[], given: Described): PropertyDecorator =>
  field(given, { type: String, enum: [...values] }, IsIn(values));

export const Whole = (given: Described & { minimum?: number; maximum?: number }): PropertyDecorator => {
  const { minimum, maximum } = given;
  const bounds = { ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) };
  const checks = [IsInt(), ...(minimum === undefined ? [] : [Min(minimum)]), ...(maximum === undefined ? [] : [Max(maximum)])];
  return field(given, { type: 'integer', ...bounds }, ...checks);
};

export const Amount = (given: Described & { minimum: number; maximum: number }): PropertyDecorator => {
  const { minimum, maximum } = given;
  return field(given, { type: 'number', minimum, maximum }, IsNumber(), Min(minimum), Max(maximum));
};

/** More than 0, a fraction is allowed. */
export const Seconds = (given: Described & { maximum?: number }): PropertyDecorator => {
  const { maximum } = given;
  const checks = [IsNumber(), IsPositive(), ...(maximum === undefined ? [] : [Max(maximum)])];
  const bounds = { minimum: 0, exclusiveMinimum: true, ...(maximum !== undefined && { maximum }) };
  return field(given, { type: 'number', ...bounds }, ...checks);
};

/** Any JSON object; `schema` tells more. */
export const FreeObject = (given: Described, schema: ApiPropertyOptions = { additionalProperties: true }): PropertyDecorator =>
  field(given, { type: 'object', ...schema } as ApiPropertyOptions, IsObject());

const NestedIn = (nested: new () => object): PropertyDecorator => ValidateNested({ context: { nested } satisfies NestedContext });

export const Nested = (type: new () => object, given: Described): PropertyDecorator =>
  field(given, { type }, IsObject(), NestedIn(type));

export const ListOf = (type: new () => object, given: Described & { minItems: number; maxItems: number }): PropertyDecorator => {
  const { minItems, maxItems } = given;
  const checks = [IsArray(), ArrayMinSize(minItems), ArrayMaxSize(maxItems), NestedIn(type)];
  return field(given, { type, isArray: true, minItems, maxItems }, ...checks);
};

export const TextOrNumber = (given: Described): PropertyDecorator =>
  field(
    given,
    { oneOf: [{ type: 'string', nullable: true }, { type: 'number' }] },
    ValidateBy({
      name: 'textOrNumber',
      validator: {
        validate: (value) => typeof value === 'string' || typeof value === 'number',
        defaultMessage: () => 'must be a string or a number',
      },
    }),
  );

/** Whatever JSON holds. */
export const Anything = (given: Described, schema: ApiPropertyOptions): PropertyDecorator => field(given, schema);
