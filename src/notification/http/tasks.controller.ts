/** Tasks, for workers: progress and other messages, heartbeats by lease, cancellation. */
import { Delete, Get, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from './api-docs.js';
import type { ApplicationMessage } from '../../protocol/messages.js';
import { Access } from '../access/access.js';
import { NotFoundError } from '../notification.errors.js';
import { NotificationActions } from '../notification.actions.js';
import { NotificationService } from '../notification.service.js';
import { taskView } from '../task/presentation.js';
import type { Caller } from './callers.js';
import { ApiDocs } from './decorators/api-docs.decorator.js';
import { CurrentCaller } from './decorators/current-caller.decorator.js';
import { TaskIdParam } from './decorators/id-param.decorator.js';
import { JsonBody } from './decorators/json-body.decorator.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';
import { CancelTaskDto } from './dto/cancel-task.dto.js';
import { LeaseHeartbeatDto } from './dto/lease-heartbeat.dto.js';
import { DeliveryResponse } from './dto/responses/delivery.dto.js';
import { HeartbeatResponse, TaskResponse } from './dto/responses/task.dto.js';

@ApiTags('tasks')
@RestController('ws/tasks')
export class TasksController {
  constructor(
    private readonly service: NotificationService,
    private readonly actions: NotificationActions,
    private readonly access: Access,
  ) {}

  @ApiDocs({
    summary: 'Whose a task is, and whether it was cancelled',
    answers: { 200: { type: TaskResponse, description: 'The task.' } },
    errors: ['NOT_FOUND'],
  })
  @Get(':task_id')
  @RequirePermission('task.read')
  async get(@CurrentCaller() caller: Caller, @TaskIdParam() taskId: string): Promise<object> {
    const task = await this.service.getTask(taskId);
    await this.access.assertCanReach(caller.principal, task?.userId ?? null, 'task');
    if (!task) throw new NotFoundError('task');
    return taskView(task);
  }

  @ApiDocs({
    summary: 'Send a message to a task’s subscribers and its user',
    description:
      'Carries `task_id`, which is added where absent. Of `task_progress` a slow reader gets the newest instead of a backlog.',
    answers: { 202: { type: DeliveryResponse, description: 'Sent.' } },
    errors: ['INVALID_JSON', 'STORE_FULL'],
  })
  @Post(':task_id/messages')
  @RequirePermission('task.send')
  @HttpCode(202)
  async send(@TaskIdParam() taskId: string, @JsonBody() message: object): Promise<object> {
    const { deliveredTo } = await this.service.sendToTask(taskId, message as ApplicationMessage);
    return { delivered_to: deliveredTo };
  }

  @ApiDocs({
    summary: 'Lease a heartbeat, or renew it by repeating the call',
    answers: { 202: { type: HeartbeatResponse, description: 'The lease.' } },
    errors: ['INVALID_JSON'],
  })
  @Post(':task_id/heartbeat')
  @RequirePermission('task.heartbeat')
  @HttpCode(202)
  async heartbeat(
    @TaskIdParam() taskId: string,
    @JsonBody(LeaseHeartbeatDto) { user_id: userId, interval = 30, ttl = 300 }: Readonly<LeaseHeartbeatDto>,
  ): Promise<object> {
    await this.service.leaseHeartbeat(userId, taskId, interval, ttl);
    return { user_id: userId, task_id: taskId, interval, ttl };
  }

  @ApiDocs({
    summary: 'Stop a task’s heartbeats',
    answers: { 204: { type: null, description: 'None is sent any more.' } },
  })
  @Delete(':task_id/heartbeat')
  @RequirePermission('task.heartbeat')
  @HttpCode(204)
  async stopHeartbeat(@TaskIdParam() taskId: string): Promise<void> {
    await this.service.stopHeartbeats(taskId);
  }

  @ApiDocs({
    summary: 'Cancel a task: its pending prompts and, until it is resumed, its later ones',
    answers: { 200: { type: TaskResponse, description: 'The task.' } },
    errors: ['INVALID_JSON', 'NOT_FOUND'],
  })
  @Post(':task_id/cancel')
  @HttpCode(200)
  @RequirePermission('task.cancel')
  async cancel(
    @CurrentCaller() caller: Caller,
    @TaskIdParam() taskId: string,
    @JsonBody(CancelTaskDto) { user_id: userId, reason }: Readonly<CancelTaskDto>,
  ): Promise<object> {
    const isService = caller.userId === null;
    const task = await this.actions.cancelTask(
      {
        taskId,
        scope: await this.access.scopeOf(caller.principal),
        cancelledBy: caller.userId,
        reason,
        namedUserId: userId,
        allowUnknown: isService,
        arrival: caller.arrival,
      },
      caller.actor,
    );
    return taskView(task);
  }

  @ApiDocs({
    summary: 'Resume a task: its later prompts are asked again',
    answers: { 200: { type: TaskResponse, description: 'The task.' } },
    errors: ['NOT_FOUND'],
  })
  @Delete(':task_id/cancel')
  @RequirePermission('task.resume')
  async resume(@CurrentCaller() caller: Caller, @TaskIdParam() taskId: string): Promise<object> {
    const task = await this.actions.resumeTask(taskId, caller.actor);
    if (!task) throw new NotFoundError('task');
    return taskView(task);
  }
}
