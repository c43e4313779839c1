/** `notifyUser` for a worker in any language, and answers by HTTP. */
import { Delete, Get, HttpCode, Post, Res } from '@nestjs/common';
import { ApiTags } from './api-docs.js';
import type { ConfirmationView } from '../../protocol/messages.js';
import { toMs } from '../../protocol/time.js';

import { Access } from '../access/access.js';
import type { Answerer } from '../confirmation/confirmations.js';
import { confirmationView, inboxEntry } from '../confirmation/presentation.js';
import { isDecided } from '../engine/confirmation-store.js';
import type { Confirmation } from '../engine/engine.js';
import { InvalidMessageError, NotificationError } from '../notification.errors.js';
import { NotificationActions } from '../notification.actions.js';
import { withinTrace } from '../tracing/spans.js';
import type { TraceContext } from '../tracing/trace-context.js';
import type { Caller } from './callers.js';
import { ApiDocs } from './decorators/api-docs.decorator.js';
import { CheckedQuery } from './decorators/checked-query.decorator.js';
import { CurrentCaller } from './decorators/current-caller.decorator.js';
import { CallbackIdParam } from './decorators/id-param.decorator.js';
import { IdempotencyKey } from './decorators/idempotency-key.decorator.js';
import { JsonBody } from './decorators/json-body.decorator.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { TraceHeaders } from './decorators/trace-headers.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';
import { AnswerDto } from './dto/answer.dto.js';
import { DismissBodyDto } from './dto/dismiss.dto.js';
import { listQuery } from './dto/inbox-query.dto.js';
import { ListQueryDto } from './dto/list-query.dto.js';
import { OpenConfirmationDto } from './dto/open-confirmation.dto.js';
import { ConfirmationResponse, InboxResponse } from './dto/responses/confirmation.dto.js';
import { WaitQueryDto } from './dto/wait-query.dto.js';
import type { Reply } from './exchange.js';
import { LongPolls } from './long-polls.js';

@ApiTags('confirmations')
@RestController('ws/confirmations')
export class ConfirmationsController {
  constructor(
    private readonly actions: NotificationActions,
    private readonly access: Access,
    private readonly polls: LongPolls,
  ) {}

  @ApiDocs({
    summary: 'Ask a user',
    description: 'Answers at once. With `wait` it answers when the prompt is decided or that many seconds have passed.',
    answers: {
      201: { type: ConfirmationResponse, description: 'Asked.' },
      200: { type: ConfirmationResponse, description: 'The key led to an earlier prompt.' },
    },
    errors: ['INVALID_JSON', 'CONFLICT', 'STORE_FULL'],
  })
  @Post()
  @RequirePermission('confirmation.open')
  async open(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @TraceHeaders() trace: TraceContext,
    @CheckedQuery(WaitQueryDto) { wait }: Readonly<WaitQueryDto>,
    @JsonBody(OpenConfirmationDto) body: Readonly<OpenConfirmationDto>,
    @Res({ passthrough: true }) response: Reply,
  ): Promise<ConfirmationView> {
    const { created, confirmation } = await inWireNames(() =>
      this.actions.open(
        {
          userId: body.user_id,
          taskId: body.task_id,
          step: body.step,
          stepResult: body.step_result,
          timeoutMs: body.timeout == null ? body.timeout : body.timeout * 1000,
          onTimeout: body.on_timeout,
          risk: body.risk,
          choices: body.choices,
          inputSchema: body.input_schema,
          title: body.title,
          metadata: body.metadata,
          proposal: body.proposal,
          editable: body.editable,
          key,
          ...trace,
        },
        caller.actor,
      ),
    );
    response.status(created ? 201 : 200);
    if (!wait || confirmation.state !== 'pending') return confirmationView(confirmation);
    return this.read(confirmation.callbackId, caller, wait);
  }

  @ApiDocs({
    summary: 'Confirmations of all users',
    description: 'For services. Pages are bounded in count and in bytes.',
    answers: { 200: { type: InboxResponse, description: 'A page.' } },
  })
  @Get()
  @RequirePermission('confirmation.list')
  async list(@CheckedQuery(ListQueryDto) query: Readonly<ListQueryDto>): Promise<object> {
    const scope = query.user_id === undefined ? 'all' : [query.user_id];
    const { items, cursor } = await this.actions.list({ scope, ...listQuery(query) });
    return { confirmations: items.map(inboxEntry), cursor };
  }

  @ApiDocs({
    summary: 'How a prompt stands',
    description: 'With `wait` it answers when the prompt is decided or that many seconds have passed.',
    answers: { 200: { type: ConfirmationResponse, description: 'The confirmation.' } },
    errors: ['NOT_FOUND'],
  })
  @Get(':callback_id')
  @RequirePermission('confirmation.read')
  async get(
    @CurrentCaller() caller: Caller,
    @CallbackIdParam() callbackId: string,
    @CheckedQuery(WaitQueryDto) { wait }: Readonly<WaitQueryDto>,
  ): Promise<ConfirmationView> {
    return this.read(callbackId, caller, wait ?? 0);
  }

  @ApiDocs({
    summary: 'Answer a prompt',
    description:
      'The first valid answer decides. The same answer again gets the same reply, by whichever door. A service that answers for a person passes `user_id` and `via`.',
    answers: { 200: { type: ConfirmationResponse, description: 'The confirmation.' } },
    errors: ['INVALID_JSON', 'INVALID_ANSWER', 'NOT_FOUND', 'ALREADY_RESOLVED', 'STALE_PROMPT'],
  })
  @Post(':callback_id/answer')
  @HttpCode(200)
  @RequirePermission('confirmation.answer')
  async answer(
    @CurrentCaller() caller: Caller,
    @CallbackIdParam() callbackId: string,
    @TraceHeaders() trace: TraceContext,
    @JsonBody(AnswerDto) body: Readonly<AnswerDto>,
  ): Promise<ConfirmationView> {
    // By WebSocket an absent `proceed` means no, for old clients. Here it is an error of the caller.
    if (body.proceed == null && body.choice == null)
      throw new InvalidMessageError({ proceed: 'is required, unless there is a choice' });
    const by = await this.answererOf(caller, body);
    return confirmationView(await withinTrace(trace, () => this.actions.answer(callbackId, by, body, caller.actor)));
  }

  @ApiDocs({
    summary: 'Take a prompt back',
    answers: { 200: { type: ConfirmationResponse, description: 'The confirmation.' } },
    errors: ['NOT_FOUND', 'ALREADY_RESOLVED'],
  })
  @Delete(':callback_id')
  @RequirePermission('confirmation.withdraw')
  async withdraw(
    @CurrentCaller() caller: Caller,
    @CallbackIdParam() callbackId: string,
    @TraceHeaders() trace: TraceContext,
  ): Promise<ConfirmationView> {
    const { actor, arrival } = caller;
    const scope = await this.access.scopeOf(caller.principal);
    return confirmationView(await withinTrace(trace, () => this.actions.withdraw(callbackId, scope, actor, arrival)));
  }

  @ApiDocs({
    summary: 'Record that a device has shown a prompt',
    description: 'The first time counts; the asker reads it as `seen_at`.',
    answers: { 200: { type: ConfirmationResponse, description: 'The confirmation.' } },
    errors: ['NOT_FOUND'],
  })
  @Post(':callback_id/seen')
  @HttpCode(200)
  @RequirePermission('confirmation.seen')
  async seen(@CurrentCaller() caller: Caller, @CallbackIdParam() callbackId: string): Promise<ConfirmationView> {
    return confirmationView(await this.actions.markSeen(callbackId, await this.access.scopeOf(caller.principal)));
  }

  @ApiDocs({
    summary: 'Hide a prompt for a while',
    description:
      'Until the given time, or without one until the warning before the deadline, which always ends it. It decides nothing: the prompt stays pending.',
    answers: { 200: { type: ConfirmationResponse, description: 'The confirmation.' } },
    errors: ['INVALID_JSON', 'NOT_FOUND', 'ALREADY_RESOLVED'],
  })
  @Post(':callback_id/dismiss')
  @HttpCode(200)
  @RequirePermission('confirmation.dismiss')
  async dismiss(
    @CurrentCaller() caller: Caller,
    @CallbackIdParam() callbackId: string,
    @JsonBody(DismissBodyDto) { until }: Readonly<DismissBodyDto>,
  ): Promise<ConfirmationView> {
    return confirmationView(await this.actions.dismiss(callbackId, await this.access.scopeOf(caller.principal), toMs(until)));
  }

  /**
   * Who answers. A service may answer for a person and name the door; the person's own rights then decide what the answer
   * may reach. A user's own token answers for that user alone.
   */
  private async answererOf({ principal, userId, arrival }: Caller, body: Readonly<AnswerDto>): Promise<Answerer> {
    const { user_id: person = null, via = null } = body;
    if (userId === null) {
      const scope = await this.access.scopeOf(person === null ? principal : { kind: 'user', userId: person });
      return { userId: person, scope, arrival, ...(via !== null && { via }) };
    }
    if (person !== null && person !== userId) throw new NotificationError('FORBIDDEN', 'this is another user');
    if (via !== null) throw new NotificationError('FORBIDDEN', 'only a service names the door');
    return { userId, scope: await this.access.scopeOf(principal), arrival };
  }

  private async read(callbackId: string, caller: Caller, waitSeconds: number): Promise<ConfirmationView> {
    const look = async (waitMs: number, signal?: AbortSignal): Promise<Confirmation> =>
      this.actions.get(callbackId, await this.access.scopeOf(caller.principal), waitMs, signal);
    if (waitSeconds === 0) return confirmationView(await look(0));
    const lookAgain = async (waitMs: number, signal: AbortSignal): Promise<Confirmation> => {
      const confirmation = await look(waitMs, signal);
      // The caller may have lost the right to it meanwhile.
      return caller.userId === null ? confirmation : look(0);
    };
    return confirmationView(await this.polls.run(caller, waitSeconds * 1000, lookAgain, isDecided));
  }
}

const WIRE_NAMES: Record<string, string> = {
  userId: 'user_id',
  taskId: 'task_id',
  stepResult: 'step_result',
  timeoutMs: 'timeout',
  onTimeout: 'on_timeout',
  inputSchema: 'input_schema',
  key: 'Idempotency-Key',
};

/** The service's errors name options in camelCase. The body's fields are in snake_case. */
async function inWireNames<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof NotificationError) || !error.fields) throw error;
    const renamed = Object.entries(error.fields).map(([name, problem]): [string, string] => {
      const [first = '', ...rest] = name.split('.');
      return [[WIRE_NAMES[first] ?? first, ...rest].join('.'), problem];
    });
    const message = renamed.map(([name, problem]) => `${name}: ${problem}`).join('; ');
    throw new NotificationError(error.code, message, { fields: Object.fromEntries(renamed) });
  }
}
