/** A route's OpenAPI entry: its summary, its responses and its errors. */
import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiResponse } from '../api-docs.js';
import { ERROR_STATUS, type ErrorCode } from '../../../protocol/codes.js';
import { ErrorResponse } from '../dto/responses/error.dto.js';

interface Documentation {
  summary: string;
  description?: string;
  /** By status; `null`: no body. */
  answers: Record<number, { type: Type | null; description: string }>;
  /** Errors in addition to those of every route. */
  errors?: readonly ErrorCode[];
}

const ANY_ROUTE: readonly ErrorCode[] = [
  'INVALID_MESSAGE',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL',
  'UNAVAILABLE',
];

export function ApiDocs({ summary, description, answers, errors = [] }: Documentation): MethodDecorator {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of [...ANY_ROUTE, ...errors])
    byStatus.set(ERROR_STATUS[code], [...(byStatus.get(ERROR_STATUS[code]) ?? []), code]);
  return applyDecorators(
    ApiExtraModels(ErrorResponse),
    ApiOperation({ summary, description }),
    ...Object.entries(answers).map(([status, { type, description: what }]) =>
      ApiResponse({ status: Number(status), description: what, ...(type && { type }) }),
    ),
    ...[...byStatus].map(([status, codes]) => ApiResponse({ status, type: ErrorResponse, description: codes.join(', ') })),
  );
}

/** Lets a parameter's decorator describe the parameter on its method, where Swagger looks for it. */
export function onMethod(...decorators: MethodDecorator[]): ParameterDecorator {
  return (target, key) => {
    const method = key === undefined ? undefined : Object.getOwnPropertyDescriptor(target, key);
    if (method && key !== undefined) for (const decorate of decorators) decorate(target, key, method);
  };
}
