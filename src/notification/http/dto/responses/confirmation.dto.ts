/** A confirmation as the REST routes answer with it. The routes’ own types are the protocol’s; a test compares the two. */
import type { ApiPropertyOptions } from '@nestjs/swagger';
import { ApiProperty, ApiPropertyOptional } from '../../api-docs.js';
import { ChoiceDto } from '../choice.dto.js';
import { ANY_JSON, INPUT_SCHEMA, MOMENT, STATES } from '../schemas.js';

export class ConfirmationResponse {
  @ApiProperty({ type: String, description: 'The prompt’s own name.' })
  callback_id!: string;

  @ApiProperty({ type: String, enum: STATES, description: '`pending`, or the outcome.' }) state!: string;

  @ApiProperty({ type: String, description: 'Who is asked.' })
  user_id!: string;

  @ApiProperty({ type: String, description: 'The task.' })
  task_id!: string;

  @ApiProperty({ type: 'integer', description: 'The number of the step.' })
  step!: number;

  @ApiProperty({ type: Number, description: `The deadline. ${MOMENT} \`null\`: none.`, nullable: true })
  expires_at!: number | null;

  @ApiPropertyOptional({ type: Number, description: `When a device first showed it. ${MOMENT}` })
  seen_at?: number;

  @ApiPropertyOptional({ type: Number, description: `Until when the user’s devices hide it. ${MOMENT}` })
  dismissed_until?: number;

  @ApiPropertyOptional({ type: Boolean, description: 'The decision; absent while pending.' })
  proceed?: boolean;

  @ApiPropertyOptional({ type: String, description: 'The user’s own words.' })
  feedback?: string;

  @ApiPropertyOptional({ type: String, description: 'The choice that was pressed.' })
  choice?: string;

  @ApiPropertyOptional({ type: 'object', description: 'What was filled in.', additionalProperties: true })
  values?: object;

  @ApiProperty({ ...ANY_JSON, description: 'What the user made of the `proposal`.', required: false })
  edited?: unknown;

  @ApiPropertyOptional({
    type: String,
    description: 'The user who answered or cancelled; absent for anonymous connections and the clock.',
  })
  answered_by?: string;

  @ApiPropertyOptional({ type: Number, description: MOMENT })
  answered_at?: number;

  @ApiPropertyOptional({
    type: String,
    description: 'The door by which the decision came: `websocket`, `rest`, `service`, `clock`, or what a service passed.',
  })
  via?: string;
}

export class InboxEntryResponse extends ConfirmationResponse {
  @ApiProperty({ type: String, description: 'The step result’s own name for the step.', nullable: true })
  step_name!: string | null;

  @ApiProperty({ type: String, description: 'What the user reads.', nullable: true })
  message!: string | null;

  @ApiProperty({ ...ANY_JSON, description: 'Any JSON value.' }) result!: unknown;

  @ApiProperty({ type: String, description: 'How the step stands.', nullable: true })
  status!: string | null;

  @ApiProperty({ type: Boolean, description: 'Whether the step is done.', nullable: true })
  completed!: boolean | null;

  @ApiProperty({ oneOf: [{ type: 'string', nullable: true }, { type: 'number' }], description: 'The code of a failure.' })
  error_code!: string | number | null;

  @ApiProperty({ type: String, description: 'The failure in words.', nullable: true })
  error_message!: string | null;

  @ApiProperty({ type: Number, description: `When it was asked. ${MOMENT}` })
  timestamp!: number;

  @ApiProperty({
    type: String,
    description: 'What the deadline decides; `null` where there is none.',
    enum: ['proceed', 'abort', 'error', null],
    nullable: true,
  })
  default!: string | null;

  @ApiPropertyOptional({ type: String, description: 'A heading.' })
  title?: string;

  @ApiPropertyOptional({ type: 'object', description: 'Carried through.', additionalProperties: true })
  metadata?: object;

  @ApiProperty({ type: () => ChoiceDto, isArray: true, required: false, description: 'Buttons instead of yes and no.' })
  choices?: ChoiceDto[];

  @ApiProperty({ ...INPUT_SCHEMA, description: 'A form.', required: false } as ApiPropertyOptions) input_schema?: object;

  @ApiPropertyOptional({ type: String, description: 'What cannot be undone.', enum: ['irreversible'] })
  risk?: string;

  @ApiProperty({ ...ANY_JSON, description: 'What the user is to approve.', required: false })
  proposal?: unknown;

  @ApiPropertyOptional({ type: Boolean, description: 'Whether an answer may carry `edited`.' })
  editable?: boolean;

  @ApiPropertyOptional({ type: String, description: 'What an answer to something irreversible must echo.' })
  digest?: string;

  @ApiPropertyOptional({ type: String, description: 'Where the confirmation belongs in a trace (W3C Trace Context).' })
  traceparent?: string;
}

export class InboxResponse {
  @ApiProperty({ type: () => InboxEntryResponse, isArray: true, description: 'Oldest first.' })
  confirmations!: InboxEntryResponse[];

  @ApiPropertyOptional({ type: String, description: 'For the next page; absent on the last.' })
  cursor?: string;
}
