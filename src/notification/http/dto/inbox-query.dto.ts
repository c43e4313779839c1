/** The query of `GET /ws/users/:user_id/confirmations`. */
import { ApiPropertyOptional } from '../api-docs.js';
import { IsIn, IsInt, IsNumber, IsOptional, IsString, Max, Min } from 'class-validator';
import type { ConfirmationState } from '../../../protocol/confirmation.js';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { toMs } from '../../../protocol/time.js';
import type { ConfirmationQuery } from '../../engine/confirmation-store.js';
import { IsIdentifier } from '../../validation/field-rules.js';
import { FromText } from '../decorators/checked-query.decorator.js';
import { STATES } from './schemas.js';

const DEFAULT_PAGE = 100;
const ORDERS = ['oldest', 'newest'] as const;
/** The end of the year 9999. A later moment is one in the wrong unit. */
const LATEST_S = 253_402_300_799;

export class InboxQueryDto {
  @ApiPropertyOptional({ type: String, enum: [...STATES], description: 'Only those in this state.' })
  @IsIn(STATES)
  @IsOptional()
  state?: ConfirmationState;

  @ApiPropertyOptional({ description: 'Only those of this task.', minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH })
  @IsIdentifier()
  @IsOptional()
  task_id?: string;

  @ApiPropertyOptional({
    type: 'number',
    description: 'Only those that were opened before this moment, in Unix seconds. Newest first, unless `order` says otherwise.',
    minimum: 0,
    maximum: LATEST_S,
  })
  @Max(LATEST_S)
  @Min(0)
  @IsNumber()
  @IsOptional()
  @FromText()
  before?: number;

  @ApiPropertyOptional({ type: String, enum: [...ORDERS], description: 'Which come first. Oldest, unless `before` is given.' })
  @IsIn(ORDERS)
  @IsOptional()
  order?: 'oldest' | 'newest';

  @ApiPropertyOptional({
    type: 'integer',
    description: 'How many at most.',
    minimum: 1,
    maximum: 1000,
    default: 100,
  })
  @Max(1000)
  @Min(1)
  @IsInt()
  @IsOptional()
  @FromText()
  limit?: number;

  @ApiPropertyOptional({ description: 'From the page before; opaque.' })
  @IsString()
  @IsOptional()
  cursor?: string;
}

/** The query as the store takes it. */
export function listQuery(query: Readonly<InboxQueryDto>): Omit<ConfirmationQuery, 'scope'> {
  const {
    state,
    task_id: taskId,
    before,
    order = before === undefined ? 'oldest' : 'newest',
    limit = DEFAULT_PAGE,
    cursor,
  } = query;
  const openedBefore = before === undefined ? undefined : toMs(before);
  return { state, taskId, openedBefore, newestFirst: order === 'newest', limit, cursor };
}
