/** `@Frame(ConfirmDto) frame: Readonly<ConfirmDto>`: the frame of an action, checked by the rules of its class. */
import { sealedParam } from '../../isolation/sealed-param.js';
import { CompiledValidationPipe } from '../pipes/compiled-validation.pipe.js';

/** @param dto without it the frame is taken as it came */
export const Frame = (dto?: new () => object): ParameterDecorator =>
  sealedParam((context) => context.switchToWs().getData<unknown>(), [], ...(dto ? [new CompiledValidationPipe(dto)] : []));
