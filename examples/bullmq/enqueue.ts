/** Gives the worker a job: `node enqueue.js <user> <version>`. */
import { Queue } from 'bullmq';
import { connectToRedis, QUEUE, type DeployData, type DeployResult } from './queue.js';

const [userId, version] = process.argv.slice(2);
if (userId === undefined || version === undefined) throw new Error('usage: enqueue.js <user> <version>');

const redis = connectToRedis();
const queue = new Queue<DeployData, DeployResult>(QUEUE, {
  connection: redis,
  // With Redis away for a while: tries again after 1, 2, 4 … seconds, some 17 minutes in all.
  defaultJobOptions: { attempts: 11, backoff: { type: 'exponential', delay: 1000 } },
});
const taskId = `deploy-${version}`;
// The job's id is the task's: the same deployment is queued, and asked about, once.
const job = await queue.add('deploy', { userId, taskId, version }, { jobId: taskId });
console.log(`queued ${job.id ?? ''}`);
await queue.close();
await redis.close();
