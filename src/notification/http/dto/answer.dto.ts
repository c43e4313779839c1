/** The body of `POST /ws/confirmations/:callback_id/answer`. */
import { ApiPropertyOptional } from '../api-docs.js';
import { Allow, IsBoolean, IsObject, IsOptional, IsString, Matches } from 'class-validator';
import type { Json, JsonObject } from '../../../protocol/confirmation.js';
import { MAX_IDENTIFIER_LENGTH, VIA_TEXT } from '../../../protocol/identifier.js';
import { HasNoNul, IsIdentifier } from '../../validation/field-rules.js';
import { ANY_JSON, FREE_OBJECT } from './schemas.js';

export class AnswerDto {
  @ApiPropertyOptional({
    type: Boolean,
    description: 'Yes or no; required unless there is a `choice`, which sets it. One that contradicts it is refused.',
    nullable: true,
  })
  @IsBoolean()
  @IsOptional()
  proceed?: boolean | null;

  @ApiPropertyOptional({ type: String, description: 'The user’s own words; without NUL.', nullable: true })
  @HasNoNul()
  @IsString()
  @IsOptional()
  feedback?: string | null;

  @ApiPropertyOptional({ type: String, description: 'The id of one of the prompt’s choices.', nullable: true })
  @IsString()
  @IsOptional()
  choice?: string | null;

  @ApiPropertyOptional({
    ...FREE_OBJECT,
    description: 'What was filled in, checked against the prompt’s form.',
    nullable: true,
  })
  @IsObject()
  @IsOptional()
  values?: JsonObject | null;

  @ApiPropertyOptional({
    ...ANY_JSON,
    description:
      'A full replacement of the prompt’s `proposal`, where that is `editable` and the answer proceeds: any JSON but `null`.',
    nullable: true,
  })
  @Allow()
  edited?: Json;

  @ApiPropertyOptional({
    type: String,
    description: 'The `digest` of what was shown; required where the prompt has one.',
    nullable: true,
  })
  @IsString()
  @IsOptional()
  digest?: string | null;

  @ApiPropertyOptional({
    type: String,
    description: 'For services: the person whose answer this is. The prompt is theirs, or the access policy lets them reach it.',
    nullable: true,
    minLength: 1,
    maxLength: MAX_IDENTIFIER_LENGTH,
  })
  @IsIdentifier()
  @IsOptional()
  user_id?: string | null;

  @ApiPropertyOptional({
    type: String,
    description: 'For services: the door by which the person answered, such as `slack`. By default `rest`.',
    nullable: true,
    pattern: VIA_TEXT.source,
  })
  @Matches(VIA_TEXT, { message: 'via must have 1 to 64 of A-Z a-z 0-9 . _ : -, the first a letter or digit' })
  @IsOptional()
  via?: string | null;
}
