/**
 * `@Frame(ConfirmDto) frame: Readonly<ConfirmDto>`: the frame of an action, checked by the rules of its class, which are compiled
 * once. Unknown fields are dropped, as old clients send some.
 */
import { isObject } from '../../../protocol/decode.js';
import { sealedParam } from '../../isolation/sealed-param.js';
import { RuleReader } from '../../validation/rule-reader.js';

/**
 * @param dto without it the frame is taken as it came
 * @param check gets the frame as it came, after the rules of its class; it throws if the frame breaks a further rule
 */
export function Frame(dto?: new () => object, check?: (given: Readonly<Record<string, unknown>>) => void): ParameterDecorator {
  const reader = dto && new RuleReader(dto, 'drop');
  return sealedParam((context) => {
    const given = context.switchToWs().getData<unknown>();
    if (!reader) return given;
    const frame = reader.read(given);
    if (isObject(given)) check?.(given);
    return frame;
  });
}
