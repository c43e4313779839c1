/** `@CurrentConnection() connection: Connection`: the connection whose frame is handled. */
import { sealedParam } from '../../isolation/sealed-param.js';

export const CurrentConnection = (): ParameterDecorator => sealedParam((context) => context.switchToWs().getClient<unknown>());
