/** A deployment that a person approves first. The module serves its own routes below `/internal`, and `/health/ready`. */
import { Controller, Module, Param, Post } from '@nestjs/common';
import { NotificationModule, NotificationService } from 'websocket-manager';

@Controller('deploys')
export class DeployController {
  constructor(private readonly notifications: NotificationService) {}

  @Post(':build')
  async deploy(@Param('build') build: string): Promise<string> {
    const { proceed, outcome } = await this.notifications.notifyUser(
      { step: 'deploy', message: `Deploy build ${build}?` },
      'ann',
      `deploy-${build}`,
      1,
      { key: `deploy-${build}`, timeoutMs: 3_600_000, onTimeout: 'abort' },
    );
    return proceed ? `build ${build} is deployed` : `build ${build} is not deployed: ${outcome}`;
  }
}

@Module({
  imports: [
    NotificationModule.forRootAsync({
      rest: { prefix: 'internal' },
      health: true,
      useFactory: () => ({ dataDir: './data' }),
    }),
  ],
  controllers: [DeployController],
})
export class DeploysModule {}
