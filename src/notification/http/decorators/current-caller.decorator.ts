/** `@CurrentCaller() caller: Caller`: who sent the request. */
import { sealedParam } from '../../isolation/sealed-param.js';
import { callerOf } from '../callers.js';
import { exchangeOf } from '../exchange.js';

export const CurrentCaller = (): ParameterDecorator => sealedParam((context) => callerOf(exchangeOf(context).request));
