/** Checks a frame by the rules of its class. Unknown fields are dropped, as old clients send some. */
import type { PipeTransform } from '@nestjs/common';
import { RuleReader } from '../rules.js';

export class FramePipe<T extends object> implements PipeTransform<unknown, T> {
  private readonly reader: RuleReader<T>;

  /** @param frameClass named here, since a host app's own pipes act on a handler's parameter that has a class for its type */
  constructor(frameClass: new () => T) {
    this.reader = new RuleReader(frameClass, 'drop');
  }

  transform(frame: unknown): T {
    return this.reader.read(frame);
  }
}
