/** What the worker and the program that enqueues its jobs agree on. */
import { createClient } from 'redis';

export const QUEUE = 'deployments';

/** BullMQ's and the notification service's: both keep what matters in it, so it must persist and never evict. */
export const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

export interface DeployData {
  userId: string;
  /** Also the job's id, and what the question's key is made of: it stays the same however often the job runs. */
  taskId: string;
  version: string;
  /** How long the question waits; a day unless given. */
  timeoutMs?: number;
  /** How long each stage of building takes. */
  stageMs?: number;
  /** Noted as soon as it is built, so that a job that runs again does not build again. */
  artifact?: string;
}

export interface DeployResult {
  status: 'released' | 'declined' | 'cancelled';
  feedback?: string;
}

/** BullMQ 6 brings no Redis client: it takes one of node-redis (or ioredis), which stays its owner's to close. */
export const connectToRedis = (): ReturnType<typeof createClient> => createClient({ url: REDIS_URL });
