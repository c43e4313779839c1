/** `@UserIdParam()`, `@TaskIdParam()`, `@CallbackIdParam()`: the identifier in a route's path, checked and described. */
import type { PipeTransform } from '@nestjs/common';
import { ApiParam } from '../api-docs.js';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { sealedParam } from '../../isolation/sealed-param.js';
import { pathParameter } from '../exchange.js';
import { IdentifierPipe } from '../pipes/identifier.pipe.js';
import { onMethod } from './api-docs.decorator.js';

export const UserIdParam = (): ParameterDecorator => idParam('user_id', 'The user.', new IdentifierPipe('user_id'));
export const TaskIdParam = (): ParameterDecorator => idParam('task_id', 'The task.', new IdentifierPipe('task_id'));
/** Not checked: an invalid `callback_id` is simply not found. */
export const CallbackIdParam = (): ParameterDecorator => idParam('callback_id', 'The confirmation.');

function idParam(name: string, description: string, ...pipes: PipeTransform[]): ParameterDecorator {
  const schema = { type: 'string', minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH };
  return sealedParam((context) => pathParameter(context, name), [onMethod(ApiParam({ name, description, schema }))], ...pipes);
}
