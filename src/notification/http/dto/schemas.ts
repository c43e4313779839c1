/** OpenAPI schemas without a class: free messages, forms, and the protocol's enumerations. */
import type { ApiPropertyOptions } from '@nestjs/swagger';
import { RESERVED_FIELDS } from '../../../protocol/messages.js';

export const STATES = ['pending', 'answered', 'timed_out', 'cancelled', 'withdrawn'] as const;

/** Any JSON value. OpenAPI's tools would take a schema without a type for an object. */
export const ANY_JSON = {
  oneOf: [
    { type: 'object', additionalProperties: true },
    { type: 'array', items: {} },
    { type: 'string', nullable: true },
    { type: 'number' },
    { type: 'boolean' },
  ],
};

/** A message of the application's own. */
export const MESSAGE = {
  type: 'object' as const,
  required: ['type'],
  properties: { type: { type: 'string', minLength: 1, description: 'The application’s own name for the kind of message.' } },
  additionalProperties: true,
  description: `Passed through as given. A type that only the product sends is refused. The product adds ${RESERVED_FIELDS.join(', ')}: a message that brings one is refused.`,
  example: { type: 'maintenance', message: 'Back in five minutes' },
};

const LABELLED = {
  type: 'object',
  required: ['const', 'title'],
  properties: { const: { type: 'string' }, title: { type: 'string' } },
};
const STRINGS = { type: 'array', items: { type: 'string' } };
const COUNT = { type: 'integer', minimum: 0 };

const FIELD = {
  type: 'object',
  required: ['type'],
  properties: {
    type: { type: 'string', enum: ['string', 'number', 'integer', 'boolean', 'array'] },
    title: { type: 'string' },
    description: { type: 'string' },
    default: {},
    enum: STRINGS,
    enumNames: STRINGS,
    oneOf: { type: 'array', items: LABELLED },
    minLength: COUNT,
    maxLength: COUNT,
    pattern: { type: 'string' },
    format: { type: 'string', enum: ['email', 'uri', 'date', 'date-time'] },
    minimum: { type: 'number' },
    maximum: { type: 'number' },
    items: { type: 'object', properties: { type: { type: 'string' }, enum: STRINGS, anyOf: { type: 'array', items: LABELLED } } },
    minItems: COUNT,
    maxItems: COUNT,
    uniqueItems: { type: 'boolean' },
  },
};

export const INPUT_SCHEMA = {
  type: 'object',
  required: ['type', 'properties'],
  properties: {
    $schema: { type: 'string' },
    type: { type: 'string', enum: ['object'] },
    title: { type: 'string' },
    description: { type: 'string' },
    properties: { type: 'object', additionalProperties: FIELD },
    required: STRINGS,
    additionalProperties: { type: 'boolean', enum: [false] },
  },
} as unknown as ApiPropertyOptions;

/** A form as it may be given: what tools write around the subset is brought into it. */
export const GIVEN_INPUT_SCHEMA = {
  type: 'object',
  required: ['type', 'properties'],
  properties: {
    type: { type: 'string', enum: ['object'] },
    properties: { type: 'object', additionalProperties: { type: 'object', additionalProperties: true } },
    required: STRINGS,
  },
  additionalProperties: true,
} as unknown as ApiPropertyOptions;

/** More than 0; a fraction is allowed. */
export const SECONDS = { type: 'number', minimum: 0, exclusiveMinimum: true } as const;

/** Any JSON object. */
export const FREE_OBJECT = { type: 'object' as const, additionalProperties: true };

/** How descriptions name a time. */
export const MOMENT = 'Unix seconds, with a fraction.';
