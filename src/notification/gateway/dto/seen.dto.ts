/** The fields of `seen`. */
import { IsIdentifier } from '../../validation/field-rules.js';

export class SeenDto {
  @IsIdentifier()
  callback_id!: string;
}
