/** A deployment that a person approves first. */
import { Controller, Injectable, Module, Param, Post } from '@nestjs/common';
import { NotificationModule, NotificationService } from 'websocket-manager';

@Injectable()
export class DeployService {
  constructor(private readonly notifications: NotificationService) {}

  async deploy(userId: string, build: string): Promise<string> {
    const { proceed, outcome } = await this.notifications.notifyUser(
      { step: 'deploy', message: `Deploy build ${build}?` },
      userId,
      `deploy-${build}`,
      1,
      // After a crash the same call finds the same confirmation.
      { key: `deploy-${build}`, timeoutMs: 3_600_000, onTimeout: 'abort' },
    );
    return proceed ? `build ${build} is deployed` : `build ${build} is not deployed: ${outcome}`;
  }
}

@Controller('deploys')
export class DeployController {
  constructor(private readonly deploys: DeployService) {}

  @Post(':build')
  deploy(@Param('build') build: string): Promise<string> {
    return this.deploys.deploy('ann', build);
  }
}

@Module({
  imports: [NotificationModule.forRoot({ dataDir: './data' })],
  controllers: [DeployController],
  providers: [DeployService],
})
export class DeploysModule {}
