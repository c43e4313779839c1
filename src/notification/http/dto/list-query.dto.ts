/** The query of `GET /ws/confirmations`. */
import { IsOptional } from 'class-validator';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { IsIdentifier } from '../../validation/field-rules.js';
import { ApiPropertyOptional } from '../api-docs.js';
import { InboxQueryDto } from './inbox-query.dto.js';

export class ListQueryDto extends InboxQueryDto {
  @ApiPropertyOptional({ description: 'Only those of this user.', minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH })
  @IsIdentifier()
  @IsOptional()
  user_id?: string;
}
