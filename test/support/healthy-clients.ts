/** Clients that behave, in a thread of their own, so that their round trips measure the server and not the flood beside them. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { WebSocket } from 'ws';

interface Given {
  wsUrl: string;
  count: number;
  tokens: string[];
  healthy?: boolean;
}

export interface HealthyReport {
  /** Milliseconds. */
  times: number[];
  /** Connections that ended before the clients closed them. */
  lost: number;
}

export class HealthyClients {
  private constructor(private readonly worker: Worker) {}

  /** @param tokens of the clients, where the server wants them; their users are then `healthy-0` and so on */
  static async start(wsUrl: string, count: number, tokens: string[] = []): Promise<HealthyClients> {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { wsUrl, count, tokens, healthy: true } });
    await once(worker, 'message');
    return new HealthyClients(worker);
  }

  /** The round trips since the last call. */
  async report(): Promise<HealthyReport> {
    const reported = once(this.worker, 'message') as Promise<[HealthyReport]>;
    this.worker.postMessage('report');
    return (await reported)[0];
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}

async function behave({ wsUrl, count, tokens }: Given): Promise<void> {
  const report: HealthyReport = { times: [], lost: 0 };
  const sockets = Array.from({ length: count }, (_, index) => {
    const token = tokens[index];
    return new WebSocket(`${wsUrl}/ws`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  });
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  parentPort?.on('message', () => {
    parentPort?.postMessage(report);
    report.times = [];
  });
  parentPort?.postMessage('ready');
  await Promise.all(
    sockets.map(async (socket, index) => {
      socket.once('close', () => (report.lost += 1));
      socket.send(JSON.stringify({ action: 'subscribe', user_id: `healthy-${index}` }));
      while (socket.readyState === WebSocket.OPEN) {
        const start = performance.now();
        const note = String(start);
        const answered = new Promise<void>((resolve) => {
          const look = (data: Buffer): void => {
            const frame = JSON.parse(data.toString()) as { original_data?: { note?: string } };
            if (frame.original_data?.note !== note) return;
            socket.off('message', look);
            resolve();
          };
          socket.on('message', look);
        });
        socket.send(JSON.stringify({ action: 'ping', note }));
        await answered;
        report.times.push(performance.now() - start);
        await delay(50);
      }
    }),
  );
}

const given = workerData as Given | null;
if (!isMainThread && given?.healthy) await behave(given);
