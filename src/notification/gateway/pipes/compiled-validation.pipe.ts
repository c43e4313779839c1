/** Checks a frame by the rules of its class, compiled once. Unknown fields are dropped, as old clients send some. */
import type { PipeTransform } from '@nestjs/common';
import { RuleReader } from '../../validation/rule-reader.js';

export class CompiledValidationPipe<T extends object> implements PipeTransform<unknown, T> {
  private readonly reader: RuleReader<T>;

  constructor(dto: new () => T) {
    this.reader = new RuleReader(dto, 'drop');
  }

  transform(frame: unknown): T {
    return this.reader.read(frame);
  }
}
