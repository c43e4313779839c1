/** The header that makes a repetition safe: it is a confirmation's `key`. */
import { ApiHeader } from '../api-docs.js';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { sealedParam } from '../../isolation/sealed-param.js';
import { exchangeOf } from '../exchange.js';
import { headerText } from '../header-text.js';
import { onMethod } from './api-docs.decorator.js';

const NAME = 'Idempotency-Key';

export const IdempotencyKey = (): ParameterDecorator =>
  sealedParam(
    (context) => headerText(exchangeOf(context).request, NAME),
    [
      onMethod(
        ApiHeader({
          name: NAME,
          required: false,
          description:
            'ASCII, unique per user: the same key with the same body asks nothing again, and answers with the same prompt.',
          schema: { type: 'string', minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH },
        }),
      ),
    ],
  );
