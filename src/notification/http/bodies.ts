/** The bodies and queries of the REST routes, checked and described. An unknown field is refused by name. */
import type { Choice, ConfirmationState, InputSchema, JsonObject, OnTimeout, StepResult } from '../../protocol/confirmation.js';
import {
  Amount,
  Anything,
  Flag,
  FreeObject,
  Identifier,
  ListOf,
  Nested,
  OneOf,
  Seconds,
  Text,
  TextOrNumber,
  Via,
  Whole,
} from './fields.js';
import { FromText } from './checked-query.js';
import { ANY_JSON, INPUT_SCHEMA, STATES } from './schemas.js';

export class StepResultBody implements StepResult {
  @Text({ description: 'The step’s own name; `step_name` on the wire.', optional: true, nullable: true })
  step?: string | null;

  @Text({ description: 'What the user reads.', minLength: 1 })
  message!: string;

  @Text({ description: 'The application’s word for how the step stands.', optional: true, nullable: true })
  status?: string | null;

  @Anything({ description: 'Any JSON value, passed through.', optional: true }, ANY_JSON)
  result?: unknown;

  @Flag({ description: 'Whether the step is done.', optional: true, nullable: true })
  completed?: boolean | null;

  @TextOrNumber({ description: 'The application’s code of a failure.', optional: true })
  error_code?: string | number | null;

  @Text({ description: 'The failure in words.', optional: true, nullable: true })
  error_message?: string | null;
}

export class ChoiceBody implements Choice {
  @Text({ description: 'What the answer’s `choice` names; unique in the prompt.', minLength: 1 })
  id!: string;

  @Text({ description: 'What the button says.' })
  label!: string;

  @Flag({ description: 'What pressing it means for the task.' })
  proceed!: boolean;
}

export class OpenConfirmationBody {
  @Identifier({ description: 'Whom to ask.' })
  user_id!: string;

  @Identifier({ description: 'The task; it belongs to the user with whom it is first named.' })
  task_id!: string;

  @Whole({ description: 'The number of the step.', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })
  step!: number;

  @Nested(StepResultBody, { description: 'What is shown.' })
  step_result!: StepResultBody;

  @Seconds({
    description: 'Seconds until the deadline; `null`: none. By default the setting `WEBSOCKET_CALLBACK_TIMEOUT` (300).',
    optional: true,
    nullable: true,
  })
  timeout?: number | null;

  @OneOf(['proceed', 'abort', 'error'], {
    description: 'What the deadline decides. By default the setting `WEBSOCKET_TIMEOUT_DECISION` (proceed).',
    optional: true,
  })
  on_timeout?: OnTimeout;

  @OneOf(['irreversible'], {
    description: 'What cannot be undone: no deadline says yes, and an answer must echo the `digest`.',
    optional: true,
  })
  risk?: 'irreversible';

  @ListOf(ChoiceBody, { description: 'Buttons instead of yes and no.', minItems: 1, maxItems: 100, optional: true })
  choices?: ChoiceBody[];

  @FreeObject({ description: 'A form: a flat JSON Schema, the subset of MCP’s elicitation.', optional: true }, INPUT_SCHEMA)
  input_schema?: InputSchema;

  @Text({ description: 'A heading.', maxLength: 1024, optional: true })
  title?: string;

  @FreeObject({ description: 'Carried through to the client; at most 8192 bytes as JSON.', optional: true })
  metadata?: JsonObject;
}

export class AnswerBody {
  @Flag({
    description: 'Yes or no; required unless there is a `choice`, which sets it. One that contradicts it is refused.',
    optional: true,
    nullable: true,
  })
  proceed?: boolean | null;

  @Text({ description: 'The user’s own words; without NUL.', noNul: true, optional: true, nullable: true })
  feedback?: string | null;

  @Text({ description: 'The id of one of the prompt’s choices.', optional: true, nullable: true })
  choice?: string | null;

  @FreeObject({ description: 'What was filled in, checked against the prompt’s form.', optional: true, nullable: true })
  values?: JsonObject | null;

  @Text({ description: 'The `digest` of what was shown; required where the prompt has one.', optional: true, nullable: true })
  digest?: string | null;

  @Identifier({
    description: 'For services: the person whose answer this is. The prompt is theirs, or the access policy lets them reach it.',
    optional: true,
    nullable: true,
  })
  user_id?: string | null;

  @Via({
    description: 'For services: the door by which the person answered, such as `slack`. By default `rest`.',
    optional: true,
    nullable: true,
  })
  via?: string | null;
}

export class HeartbeatBody {
  @Identifier({ description: 'Who is told.' })
  user_id!: string;

  @Seconds({ description: 'Seconds between heartbeats.', optional: true, default: 30 })
  interval?: number;

  @Seconds({ description: 'Seconds until the lease ends unless it is renewed.', optional: true, default: 300, maximum: 86_400 })
  ttl?: number;
}

export class CancelBody {
  @Identifier({ description: 'Whose task it is, where nobody has named it yet.', optional: true })
  user_id?: string;

  @Text({ description: 'Why, in words; without NUL.', maxLength: 1024, noNul: true, optional: true })
  reason?: string;
}

export class WaitQuery {
  @FromText()
  @Amount({
    description: 'Seconds to wait for what is not there yet; a fraction is allowed.',
    minimum: 0,
    maximum: 60,
    optional: true,
    default: 0,
  })
  wait?: number;
}

export class SendQuery extends WaitQuery {
  @OneOf(['true', 'false'], {
    description: 'Keep the message until one of the user’s devices acknowledges it.',
    optional: true,
    default: 'false',
  })
  requires_ack?: 'true' | 'false';
}

export class InboxQuery {
  @OneOf(STATES, { description: 'Only those in this state.', optional: true })
  state?: ConfirmationState;

  @Identifier({ description: 'Only those of this task.', optional: true })
  task_id?: string;

  @FromText()
  @Whole({ description: 'At most so many, oldest first.', minimum: 1, maximum: 1000, optional: true, default: 100 })
  limit?: number;

  @Text({ description: 'From the page before; opaque.', optional: true })
  cursor?: string;
}
