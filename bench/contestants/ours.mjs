/** The service in one process, as `npm start` runs it; the environment holds its settings. */
import { compete } from '../harness/contest.mjs';
import { readConfig } from '../../dist/app/app.config.js';
import { portOf, startApp } from '../../dist/app/app.js';
import { NotificationService } from '../../dist/notification/index.js';

const app = await startApp(readConfig(process.env));
const service = app.get(NotificationService);
const question = { step: 'deploy', message: 'Deploy build 4711 to production?', status: 'waiting' };
let asked = 0;

/** Asks `count` users who are not there, once each. */
async function open({ count, from }) {
  for (let start = from; start < from + count; start += 64) {
    const users = Array.from({ length: Math.min(64, from + count - start) }, (_, n) => `absent-${start + n}`);
    await Promise.all(
      users.map((userId) =>
        service.openConfirmation({ stepResult: question, userId, taskId: `task-${userId}`, step: 1, timeoutMs: 3_600_000 }),
      ),
    );
  }
}

compete({
  open,
  port: portOf(app.getHttpServer()),
  broadcast: (message) => service.broadcastMessage(message),
  toUser: (user, message) => service.sendToUser(user, message),
  ask: (user, n) => service.notifyUser(question, user, `task-${user}-${(asked += 1) % 1000}`, n, { timeoutMs: 600_000 }),
});
