import { ApiProperty } from '../api-docs.js';
import { IsBoolean, IsNotEmpty, IsString } from 'class-validator';
import type { Choice } from '../../../protocol/confirmation.js';

export class ChoiceDto implements Choice {
  @ApiProperty({ description: 'What the answer’s `choice` names; unique in the prompt.', minLength: 1 })
  @IsNotEmpty()
  @IsString()
  id!: string;

  @ApiProperty({ description: 'What the button says.' })
  @IsString()
  label!: string;

  @ApiProperty({ description: 'What pressing it means for the task.' })
  @IsBoolean()
  proceed!: boolean;
}
