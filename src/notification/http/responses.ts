/** What the REST routes answer, for OpenAPI. The routes' own types are the protocol's; a test compares the two. */
import type { ApiPropertyOptions } from '@nestjs/swagger';
import { ApiProperty } from './api-docs.js';
import { ERROR_STATUS } from '../../protocol/codes.js';
import { ChoiceBody } from './bodies.js';
import { ANY_JSON, INPUT_SCHEMA, STATES } from './schemas.js';

const say = (
  type: 'string' | 'number' | 'integer' | 'boolean' | 'object',
  description: string,
  more: object = {},
): PropertyDecorator => ApiProperty({ type, description, ...more } as ApiPropertyOptions);
const optional = { required: false };
const nullable = { nullable: true };
const free = { additionalProperties: true, required: false };
const MOMENT = 'Unix seconds, with a fraction.';

/** A confirmation: pending, or decided. */
export class ConfirmationResponse {
  @say('string', 'The prompt’s own name.') callback_id!: string;
  @ApiProperty({ type: String, enum: STATES, description: '`pending`, or the outcome.' }) state!: string;
  @say('string', 'Who is asked.') user_id!: string;
  @say('string', 'The task.') task_id!: string;
  @say('integer', 'The number of the step.') step!: number;
  @say('number', `The deadline. ${MOMENT} \`null\`: none.`, nullable) expires_at!: number | null;
  @say('boolean', 'The decision; absent while pending.', optional) proceed?: boolean;
  @say('string', 'The user’s own words.', optional) feedback?: string;
  @say('string', 'The choice that was pressed.', optional) choice?: string;
  @say('object', 'What was filled in.', free) values?: object;
  @say('string', 'The user who answered or cancelled; absent for anonymous connections and the clock.', optional)
  answered_by?: string;
  @say('number', MOMENT, optional) answered_at?: number;
  @say(
    'string',
    'The door by which the decision came: `websocket`, `rest`, `service`, `clock`, or what a service passed.',
    optional,
  )
  via?: string;
}

/** A confirmation, and what its prompt shows. */
export class InboxEntryResponse extends ConfirmationResponse {
  @say('string', 'The step result’s own name for the step.', nullable) step_name!: string | null;
  @say('string', 'What the user reads.', nullable) message!: string | null;
  @ApiProperty({ ...ANY_JSON, description: 'Any JSON value.' }) result!: unknown;
  @say('string', 'How the step stands.', nullable) status!: string | null;
  @say('boolean', 'Whether the step is done.', nullable) completed!: boolean | null;
  @ApiProperty({ oneOf: [{ type: 'string', nullable: true }, { type: 'number' }], description: 'The code of a failure.' })
  error_code!: string | number | null;
  @say('string', 'The failure in words.', nullable) error_message!: string | null;
  @say('number', `When it was asked. ${MOMENT}`) timestamp!: number;
  @say('string', 'What the deadline decides; `null` where there is none.', {
    enum: ['proceed', 'abort', 'error', null],
    ...nullable,
  })
  default!: string | null;
  @say('string', 'A heading.', optional) title?: string;
  @say('object', 'Carried through.', free) metadata?: object;
  @ApiProperty({ type: () => ChoiceBody, isArray: true, required: false, description: 'Buttons instead of yes and no.' })
  choices?: ChoiceBody[];
  @ApiProperty({ ...INPUT_SCHEMA, description: 'A form.', required: false } as ApiPropertyOptions) input_schema?: object;
  @say('string', 'What cannot be undone.', { enum: ['irreversible'], ...optional }) risk?: string;
  @say('string', 'What an answer to something irreversible must echo.', optional) digest?: string;
}

export class InboxResponse {
  @ApiProperty({ type: () => InboxEntryResponse, isArray: true, description: 'Oldest first.' })
  confirmations!: InboxEntryResponse[];
  @say('string', 'For the next page; absent on the last.', optional) cursor?: string;
}

export class DeliveryResponse {
  @say('integer', 'Connections reached, over all nodes; an estimate.') delivered_to!: number;
}

export class MessageResponse extends DeliveryResponse {
  @say('string', 'With `requires_ack=true`.', optional) message_id?: string;
  @say('boolean', 'With `wait`: whether one of the user’s devices acknowledged in time.', optional) acknowledged?: boolean;
}

export class ClusterResponse {
  @say('string', 'embedded or redis.') engine!: string;
  @say('integer', 'Nodes that run.') nodes!: number;
  @say('integer', 'Connections of all nodes.') active_connections!: number;
}

export class StatusResponse {
  @say('boolean', 'Whether this node takes connections.') running!: boolean;
  @say('string', 'The address it listens on, as set.') host!: string;
  @say('integer', 'The port, as set.') port!: number;
  @say('integer', 'Connections of this node.') active_connections!: number;
  @say('integer', 'Prompts that wait for a decision.') pending_callbacks!: number;
  @say('integer', 'Messages that wait for an acknowledgement.') unacknowledged_messages!: number;
  @ApiProperty({ type: () => ClusterResponse, description: 'All nodes together.' }) cluster!: ClusterResponse;
}

class DeviceResponse {
  @say('string', 'The node that it is connected to.') node!: string;
  @say('number', `When it connected. ${MOMENT}`) since!: number;
  @say('string', 'Where it connects from.') address!: string;
  @say('number', 'Seconds between a ping and its pong; absent before the first.', optional) round_trip_time?: number;
}

export class PresenceResponse {
  @say('string', 'The user.') user_id!: string;
  @say('boolean', 'Whether there is a connection.') online!: boolean;
  @say('integer', 'Connections on all nodes.') connections!: number;
  @ApiProperty({ type: [DeviceResponse], description: 'The connections, oldest first.' }) devices!: DeviceResponse[];
}

export class RevocationResponse {
  @say('string', 'The user.') user_id!: string;
  @say('number', `Tokens issued until then are refused. ${MOMENT}`) revoked_at!: number;
}

export class ReviewResponse {
  @say('string', 'The user.') user_id!: string;
}

export class TaskResponse {
  @say('string', 'The task.') task_id!: string;
  @say('string', 'Whose it is; `null` while back-end code has named nobody.', nullable) user_id!: string | null;
  @say('boolean', 'Whether it was cancelled, and not resumed.') cancelled!: boolean;
  @say('number', MOMENT, optional) cancelled_at?: number;
  @say('string', 'Why, in words.', optional) reason?: string;
}

export class HeartbeatResponse {
  @say('string', 'Who is told.') user_id!: string;
  @say('string', 'The task.') task_id!: string;
  @say('number', 'Seconds between heartbeats.') interval!: number;
  @say('number', 'Seconds until the lease ends.') ttl!: number;
}

export class ErrorResponse {
  @ApiProperty({ type: String, enum: Object.keys(ERROR_STATUS), description: 'What a program looks at.' }) code!: string;
  @say('string', 'What a person reads.') message!: string;
  @say('object', 'Field name, dotted where nested, to what is wrong with it.', {
    additionalProperties: { type: 'string' },
    ...optional,
  })
  fields?: object;
  @ApiProperty({ type: () => ConfirmationResponse, required: false, description: 'With `ALREADY_RESOLVED`: the decision.' })
  confirmation?: ConfirmationResponse;
}
