/** The fields of `seen`. */
import { IsIdentifier } from '../../validation.js';

export class SeenDto {
  @IsIdentifier()
  callback_id!: string;
}
