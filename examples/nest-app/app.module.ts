/** A Nest app of somebody else's that imports the notification module: one service and one processor inject it. */
import { Module } from '@nestjs/common';
import { NotificationModule } from '../../src/notification/index.js';
import { TaskService } from './task.service.js';
import { WorkflowProcessor } from './workflow.processor.js';

@Module({
  imports: [
    NotificationModule.forRootAsync({
      useFactory: () => ({ dataDir: process.env['EXAMPLE_DATA_DIR'] ?? ':memory:', paths: ['/ws'] }),
    }),
  ],
  providers: [TaskService, WorkflowProcessor],
  exports: [TaskService],
})
export class ExampleAppModule {}
