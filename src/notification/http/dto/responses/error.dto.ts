/** Every error of the REST routes. */
import { ApiProperty, ApiPropertyOptional } from '../../api-docs.js';
import { ERROR_STATUS } from '../../../../protocol/codes.js';
import { ConfirmationResponse } from './confirmation.dto.js';

export class ErrorResponse {
  @ApiProperty({ type: String, enum: Object.keys(ERROR_STATUS), description: 'What a program looks at.' }) code!: string;

  @ApiProperty({ type: String, description: 'What a person reads.' })
  message!: string;

  @ApiPropertyOptional({
    type: 'object',
    description: 'Field name, dotted where nested, to what is wrong with it.',
    additionalProperties: { type: 'string' },
  })
  fields?: object;

  @ApiProperty({ type: () => ConfirmationResponse, required: false, description: 'With `ALREADY_RESOLVED`: the decision.' })
  confirmation?: ConfirmationResponse;
}
