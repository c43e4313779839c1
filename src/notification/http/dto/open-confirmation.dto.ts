/** The body of `POST /ws/confirmations`. */
import { ApiProperty, ApiPropertyOptional } from '../api-docs.js';
import {
  Allow,
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsPositive,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import type { InputSchema, Json, JsonObject, OnTimeout } from '../../../protocol/confirmation.js';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { MAX_TIMEOUT_MS } from '../../confirmation/prepare-request.js';
import { of } from '../../validation/rule-reader.js';
import { IsIdentifier } from '../../validation/field-rules.js';
import { ChoiceDto } from './choice.dto.js';
import { ANY_JSON, FREE_OBJECT, GIVEN_INPUT_SCHEMA, SECONDS } from './schemas.js';
import { StepResultDto } from './step-result.dto.js';

const ON_TIMEOUT = ['proceed', 'abort', 'error'];
const MAX_TIMEOUT_S = MAX_TIMEOUT_MS / 1000;
const RISKS = ['irreversible'];

export class OpenConfirmationDto {
  @ApiProperty({ description: 'Whom to ask.', minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH })
  @IsIdentifier()
  user_id!: string;

  @ApiProperty({
    description: 'The task; it belongs to the user with whom it is first named.',
    minLength: 1,
    maxLength: MAX_IDENTIFIER_LENGTH,
  })
  @IsIdentifier()
  task_id!: string;

  @ApiProperty({
    type: 'integer',
    description: 'The number of the step.',
    minimum: Number.MIN_SAFE_INTEGER,
    maximum: Number.MAX_SAFE_INTEGER,
  })
  @Max(Number.MAX_SAFE_INTEGER)
  @Min(Number.MIN_SAFE_INTEGER)
  @IsInt()
  step!: number;

  @ApiProperty({ type: StepResultDto, description: 'What is shown.' })
  @ValidateNested(of(StepResultDto))
  @IsObject()
  step_result!: StepResultDto;

  @ApiPropertyOptional({
    ...SECONDS,
    description: 'Seconds until the deadline; `null`: none. By default the setting `WEBSOCKET_CALLBACK_TIMEOUT` (300).',
    maximum: MAX_TIMEOUT_S,
    nullable: true,
  })
  @Max(MAX_TIMEOUT_S)
  @IsPositive()
  @IsNumber()
  @IsOptional()
  timeout?: number | null;

  @ApiPropertyOptional({
    type: String,
    enum: ON_TIMEOUT,
    description: 'What the deadline decides. By default the setting `WEBSOCKET_TIMEOUT_DECISION` (proceed).',
  })
  @IsIn(ON_TIMEOUT)
  @IsOptional()
  on_timeout?: OnTimeout;

  @ApiPropertyOptional({
    type: String,
    enum: RISKS,
    description: 'What cannot be undone: no deadline says yes, and an answer must echo the `digest`.',
  })
  @IsIn(RISKS)
  @IsOptional()
  risk?: 'irreversible';

  @ApiPropertyOptional({
    type: ChoiceDto,
    isArray: true,
    description: 'Buttons instead of yes and no.',
    minItems: 1,
    maxItems: 100,
  })
  @ValidateNested(of(ChoiceDto))
  @ArrayMaxSize(100)
  @ArrayMinSize(1)
  @IsArray()
  @IsOptional()
  choices?: ChoiceDto[];

  @ApiPropertyOptional({
    ...GIVEN_INPUT_SCHEMA,
    description:
      'A form: a flat JSON Schema, the subset of MCP’s elicitation, as its tools write it. Clients get it in its plain form.',
  })
  @IsObject()
  @IsOptional()
  input_schema?: InputSchema;

  @ApiPropertyOptional({ description: 'A heading.', maxLength: 1024 })
  @MaxLength(1024)
  @IsString()
  @IsOptional()
  title?: string;

  @ApiPropertyOptional({ ...FREE_OBJECT, description: 'Carried through to the client; at most 8192 bytes as JSON.' })
  @IsObject()
  @IsOptional()
  metadata?: JsonObject;

  @ApiPropertyOptional({
    ...ANY_JSON,
    description: 'What the user is to approve, a command or a mail: any JSON but `null`, at most 65536 bytes.',
  })
  @Allow()
  proposal?: Json;

  @ApiPropertyOptional({ type: Boolean, description: 'Whether an answer may replace the `proposal` by `edited`.' })
  @IsBoolean()
  @IsOptional()
  editable?: boolean;
}
