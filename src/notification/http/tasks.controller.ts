/** Tasks, for workers: progress and other messages, heartbeats by lease, cancellation. */
import { Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import type { ApplicationMessage } from '../../protocol/messages.js';
import { Access } from '../access/access.js';
import { NotFoundError } from '../notification.errors.js';
import { NotificationService } from '../notification.service.js';
import { taskView } from '../task/view.js';
import { ApiTags } from './api-docs.js';
import { CancelBody, HeartbeatBody } from './bodies.js';
import { Documented, NamedInPath } from './documented.js';
import { DeliveryResponse, HeartbeatResponse, TaskResponse } from './responses.js';
import { Calling, Operation, type Caller } from './caller.js';
import { IdentifierPipe } from '../validation.js';
import { JsonBody } from './json-body.js';
import { RestController } from './rest.js';

@ApiTags('tasks')
@RestController('ws/tasks')
export class TasksController {
  constructor(
    private readonly service: NotificationService,
    private readonly access: Access,
  ) {}

  @Documented({
    summary: 'Whose a task is, and whether it was cancelled',
    answers: { 200: { type: TaskResponse, description: 'The task.' } },
    errors: ['NOT_FOUND'],
  })
  @NamedInPath('task_id', 'The task.')
  @Get(':task_id')
  @Operation('task.read')
  async get(@Calling() caller: Caller, @Param('task_id', IdentifierPipe) taskId: string): Promise<object> {
    const task = await this.service.getTask(taskId);
    await this.access.mustReach(caller.subject, task?.userId ?? null, 'task');
    if (!task) throw new NotFoundError('task');
    return taskView(task);
  }

  @Documented({
    summary: 'Send a message to a task’s subscribers and its user',
    description:
      'Carries `task_id`, which is added where absent. Of `task_progress` a slow reader gets the newest instead of a backlog.',
    answers: { 202: { type: DeliveryResponse, description: 'Sent.' } },
    errors: ['INVALID_JSON', 'STORE_FULL'],
  })
  @NamedInPath('task_id', 'The task.')
  @Post(':task_id/messages')
  @Operation('task.send')
  @HttpCode(202)
  async send(@Param('task_id', IdentifierPipe) taskId: string, @JsonBody() message: object): Promise<object> {
    const { deliveredTo } = await this.service.sendToTask(taskId, message as ApplicationMessage);
    return { delivered_to: deliveredTo };
  }

  @Documented({
    summary: 'Lease a heartbeat, or renew it by repeating the call',
    answers: { 202: { type: HeartbeatResponse, description: 'It beats.' } },
    errors: ['INVALID_JSON'],
  })
  @NamedInPath('task_id', 'The task.')
  @Post(':task_id/heartbeat')
  @Operation('task.beat')
  @HttpCode(202)
  async heartbeat(
    @Param('task_id', IdentifierPipe) taskId: string,
    @JsonBody(HeartbeatBody) { user_id: userId, interval = 30, ttl = 300 }: HeartbeatBody,
  ): Promise<object> {
    await this.service.leaseHeartbeat(userId, taskId, interval, ttl);
    return { user_id: userId, task_id: taskId, interval, ttl };
  }

  @Documented({
    summary: 'Stop a task’s heartbeats',
    answers: { 204: { type: null, description: 'None beats any more.' } },
  })
  @NamedInPath('task_id', 'The task.')
  @Delete(':task_id/heartbeat')
  @Operation('task.beat')
  @HttpCode(204)
  async stopHeartbeat(@Param('task_id', IdentifierPipe) taskId: string): Promise<void> {
    await this.service.stopHeartbeats(taskId);
  }

  @Documented({
    summary: 'Cancel a task: its pending prompts and, until it is resumed, its later ones',
    answers: { 200: { type: TaskResponse, description: 'The task.' } },
    errors: ['INVALID_JSON', 'NOT_FOUND'],
  })
  @NamedInPath('task_id', 'The task.')
  @Post(':task_id/cancel')
  @HttpCode(200)
  @Operation('task.cancel')
  async cancel(
    @Calling() caller: Caller,
    @Param('task_id', IdentifierPipe) taskId: string,
    @JsonBody(CancelBody) { user_id: userId, reason }: CancelBody,
  ): Promise<object> {
    const isService = caller.userId === null;
    const task = await this.service.cancel(
      {
        taskId,
        scope: await this.access.scopeOf(caller.subject),
        cancelledBy: caller.userId,
        reason,
        namedUserId: userId,
        allowUnknown: isService,
        arrival: caller.arrival,
      },
      caller.origin,
    );
    return taskView(task);
  }

  @Documented({
    summary: 'Resume a task: its later prompts are asked again',
    answers: { 200: { type: TaskResponse, description: 'The task.' } },
    errors: ['NOT_FOUND'],
  })
  @NamedInPath('task_id', 'The task.')
  @Delete(':task_id/cancel')
  @Operation('task.resume')
  async resume(@Calling() caller: Caller, @Param('task_id', IdentifierPipe) taskId: string): Promise<object> {
    const task = await this.service.resumeTask(taskId, caller.origin);
    if (!task) throw new NotFoundError('task');
    return taskView(task);
  }
}
