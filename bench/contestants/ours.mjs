/** The service in one process, as `npm start` runs it; the environment holds its settings. */
import { compete } from '../harness/contest.mjs';
import { readConfig } from '../../dist/app/app.config.js';
import { startApp } from '../../dist/app/app.js';
import { NotificationService } from '../../dist/notification/index.js';

const app = await startApp(readConfig(process.env));
const service = app.get(NotificationService);
const question = { step: 'deploy', message: 'Deploy build 4711 to production?', status: 'waiting' };
let asked = 0;

/** Opens a question for each user, and does not wait for the answer. */
async function openFor({ users }) {
  for (let start = 0; start < users.length; start += 64) {
    const some = users.slice(start, start + 64);
    await Promise.all(
      some.map((userId) =>
        service.openConfirmation({ stepResult: question, userId, taskId: `open-${userId}`, step: 1, timeoutMs: 3_600_000 }),
      ),
    );
  }
}

compete({
  openFor,
  broadcast: (message) => service.broadcastMessage(message),
  toUser: (user, message) => service.sendToUser(user, message),
  ask: (user, n) => service.notifyUser(question, user, `task-${user}-${(asked += 1) % 1000}`, n, { timeoutMs: 600_000 }),
});
