/** The fields of `ack`. */
import { IsIdentifier } from '../../validation.js';

export class AckDto {
  @IsIdentifier()
  message_id!: string;
}
