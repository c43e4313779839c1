/**
 * The types of a confirmation and its decision, shared by the wire, the engines and the service.
 */

/** How a prompt can end. A prompt goes from `pending` to exactly one of these. */
export type Outcome = 'answered' | 'timed_out' | 'cancelled' | 'withdrawn';

export type ConfirmationState = 'pending' | Outcome;

/** The size of a prompt's `proposal`, and of an answer's `edited`, as JSON. */
export const MAX_PROPOSAL_BYTES = 65_536;

/** What the deadline decides when no answer has arrived. */
export type OnTimeout = 'proceed' | 'abort' | 'error';

/** A button that the user can press instead of a bare yes or no. */
export interface Choice {
  id: string;
  label: string;
  /** What pressing it means for the task. */
  proceed: boolean;
}

/** A JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** One field of a form: the subset of JSON Schema that MCP's elicitation uses. */
export interface InputField {
  type: 'string' | 'number' | 'integer' | 'boolean' | 'array';
  title?: string;
  description?: string;
  default?: Json;
  enum?: string[];
  enumNames?: string[];
  oneOf?: { const: string; title: string }[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: 'email' | 'uri' | 'date' | 'date-time';
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  /** Multi-select: the values that may be picked. */
  items?: { type?: 'string'; enum?: string[]; anyOf?: { const: string; title: string }[] };
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
}

/** A flat form: an object whose properties are plain fields. */
export interface InputSchema {
  $schema?: string;
  type: 'object';
  title?: string;
  description?: string;
  properties: { [name: string]: InputField };
  required?: string[];
  /** Other fields are refused in any case. */
  additionalProperties?: false;
}

/** The old component's step result, as back-end code gives it. Wire names: it is passed through as it is. */
export interface StepResult {
  /** The result's own name for the step; on the wire `step_name`. */
  step?: string | null;
  /** What the user reads; not empty. */
  message: string;
  status?: string | null;
  result?: unknown;
  completed?: boolean | null;
  error_code?: string | number | null;
  error_message?: string | null;
}

/** A checked answer. `proceed` is final: a choice has set it, or its absence has become `false`. */
export interface Answer {
  proceed: boolean;
  feedback?: string;
  choice?: string;
  values?: JsonObject;
  /** The full replacement of the prompt's `proposal`; never `null`. */
  edited?: Json;
}
