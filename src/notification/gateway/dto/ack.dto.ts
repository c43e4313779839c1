/** The fields of `ack`. */
import { IsIdentifier } from '../../validation/field-rules.js';

export class AckDto {
  @IsIdentifier()
  message_id!: string;
}
