/** Refuses a path parameter that cannot name a user or a task. The error names the parameter as it stands in the path. */
import type { PipeTransform } from '@nestjs/common';
import { isIdentifier } from '../../../protocol/identifier.js';
import { InvalidMessageError } from '../../notification.errors.js';
import { IDENTIFIER_RULE } from '../../validation/field-rules.js';

export class IdentifierPipe implements PipeTransform<unknown, string> {
  constructor(private readonly name: string) {}

  transform(value: unknown): string {
    if (isIdentifier(value)) return value;
    throw new InvalidMessageError({ [this.name]: IDENTIFIER_RULE });
  }
}
