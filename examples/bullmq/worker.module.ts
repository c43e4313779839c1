/** The worker's app: the module makes it one more node on the service's Redis, though no client ever connects to it. */
import { Module } from '@nestjs/common';
import { NotificationModule } from '../../src/notification/index.js';
import { DeployTask } from './deploy.task.js';
import { DeployWorker } from './deploy.worker.js';
import { REDIS_URL } from './queue.js';

@Module({
  imports: [
    NotificationModule.forRoot({
      engine: 'redis',
      redisUrls: [REDIS_URL],
      // It listens on no port, so there is nobody to authenticate; production asks for this to be said.
      allowOpenMode: true,
    }),
  ],
  providers: [DeployTask, DeployWorker],
})
export class WorkerModule {}
