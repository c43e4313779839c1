/** Tasks, for workers: progress and other messages, heartbeats by lease, cancellation. */
import { Body, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import type { ApplicationMessage } from '../../protocol/messages.js';
import { Access } from '../access/access.js';
import { toSeconds } from '../confirmation/view.js';
import type { Task } from '../engine/engine.js';
import { NotFoundError } from '../notification.errors.js';
import { NotificationService } from '../notification.service.js';
import { CancelBody, HeartbeatBody } from './bodies.js';
import { Calling, Operation, type Caller } from './caller.js';
import { IdentifierPipe } from '../validation.js';
import { RestController } from './rest.js';

@RestController('ws/tasks')
export class TasksController {
  constructor(
    private readonly service: NotificationService,
    private readonly access: Access,
  ) {}

  @Get(':task_id')
  @Operation('task.read')
  async get(@Calling() caller: Caller, @Param('task_id', IdentifierPipe) taskId: string): Promise<object> {
    const task = await this.service.getTask(taskId);
    await this.access.mustReach(caller.subject, task?.userId ?? null, 'task');
    if (!task) throw new NotFoundError('task');
    return taskView(task);
  }

  @Post(':task_id/messages')
  @Operation('task.send')
  @HttpCode(202)
  async send(@Param('task_id', IdentifierPipe) taskId: string, @Body() message: object): Promise<object> {
    const { deliveredTo } = await this.service.sendToTask(taskId, message as ApplicationMessage);
    return { delivered_to: deliveredTo };
  }

  @Post(':task_id/heartbeat')
  @Operation('task.beat')
  @HttpCode(202)
  heartbeat(
    @Param('task_id', IdentifierPipe) taskId: string,
    @Body() { user_id: userId, interval = 30, ttl = 300 }: HeartbeatBody,
  ): object {
    this.service.leaseHeartbeat(userId, taskId, interval, ttl);
    return { user_id: userId, task_id: taskId, interval, ttl };
  }

  @Delete(':task_id/heartbeat')
  @Operation('task.beat')
  @HttpCode(204)
  stopHeartbeat(@Param('task_id', IdentifierPipe) taskId: string): void {
    this.service.stopHeartbeats(taskId);
  }

  @Post(':task_id/cancel')
  @HttpCode(200)
  @Operation('task.cancel')
  async cancel(
    @Calling() caller: Caller,
    @Param('task_id', IdentifierPipe) taskId: string,
    @Body() { user_id: userId, reason }: CancelBody,
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
      },
      caller.origin,
    );
    return taskView(task);
  }

  @Delete(':task_id/cancel')
  @Operation('task.resume')
  async resume(@Param('task_id', IdentifierPipe) taskId: string): Promise<object> {
    const task = await this.service.resumeTask(taskId);
    if (!task) throw new NotFoundError('task');
    return taskView(task);
  }
}

function taskView(task: Task): object {
  return {
    task_id: task.taskId,
    user_id: task.userId,
    cancelled: task.cancelled,
    cancelled_at: task.cancelledAt === undefined ? undefined : toSeconds(task.cancelledAt),
    reason: task.reason,
  };
}
