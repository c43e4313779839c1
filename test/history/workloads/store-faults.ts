/** The service on a store of which any step can be made to fail, and the life of four questions across one such fault. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Test } from '@nestjs/testing';
import { EmbeddedEngine } from '../../../src/notification/engine/embedded/embedded-engine.js';
import type { Fault } from '../../support/faulty-sqlite.js';
import { FaultyStore } from '../../support/faulty-store.js';
import { Engine } from '../../../src/notification/engine/engine.js';
import { SETTINGS } from '../../support/engine-folder.js';
import type { Recorder } from '../recorder.js';
import {
  answerByRest,
  askByRest,
  askInProcess,
  cancelByRest,
  Device,
  effective,
  readByRest,
  LostCall,
  withdrawByRest,
  type Asked,
} from '../recorded-client.js';
import { InProcessSite, type Node } from '../sites/single-node.js';

/** SQLite's result codes: any error, and one that may mean a full disk. */
export const ERROR = 1;
export const IOERR = 10;

/** What a call may be refused with while the store is out of order. By REST it looks like a service that stops. */
export const REFUSALS_OF_A_FAULTY_STORE = ['EngineUnavailableError', 'ServiceClosedError', 'StoreFullError', 'STORE_FULL'];

export class FaultySite {
  private serial = 0;
  private injected = 0;

  private constructor(
    readonly recorder: Recorder,
    readonly node: Node,
    private readonly site: InProcessSite,
    private readonly store: FaultyStore,
    private readonly folder: string,
    private readonly log: string[],
  ) {}

  static async create(recorder: Recorder): Promise<FaultySite> {
    const folder = await mkdtemp(join(tmpdir(), 'faults-'));
    const log: string[] = [];
    const note = (message: string): void => void log.push(message);
    const store = new FaultyStore();
    const engine = new EmbeddedEngine({
      dataDir: folder,
      settings: SETTINGS,
      logger: { warn: note, error: note },
      reserveBytes: 65_536,
      newWorker: store.newWorker,
    });
    const options = { timeoutDecision: 'proceed', dataDir: folder } as const;
    const site = await InProcessSite.create(recorder, options, async (module) => {
      const built = await Test.createTestingModule({ imports: [module] })
        .overrideProvider(Engine)
        .useValue(engine)
        .compile();
      return built.createNestApplication({ logger: false, forceCloseConnections: true });
    });
    return new FaultySite(recorder, await site.node(), site, store, folder, log);
  }

  async close(): Promise<void> {
    await this.site.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /**
   * A question that is answered, one that is withdrawn, one that is cancelled and one that times out, while a step fails.
   * A refused call is repeated until it succeeds.
   * @returns whether the fault was met
   */
  async live(fault: Fault): Promise<boolean> {
    const { recorder, node } = this;
    const logged = this.log.length;
    this.injected += 1;
    const userId = `faulty-${this.injected}`;
    const device = await Device.connect(recorder, node, userId);
    this.store.inject(fault);

    const question = (timeoutMs: number | null = null): Asked => {
      const number = ++this.serial;
      const taskId = `faulty-task-${number}`;
      return { question: number, userId, taskId, key: `key-${number}`, timeoutMs, onTimeoutBySetting: 'proceed' };
    };
    const untilDone = async (call: () => Promise<unknown>): Promise<void> => {
      for (;;) {
        try {
          if ((await call()) !== false) return;
        } catch (error) {
          if (!(error instanceof LostCall)) throw error;
        }
        await pause(2);
      }
    };
    const answered = question();
    const withdrawn = question();
    const cancelled = question();
    const timedOut: Asked = { ...question(15), onTimeout: 'abort' };
    const no = { proceed: false };

    const ends = new Set<number>();
    const ask = (asked: Asked, call: () => Promise<void>): Promise<unknown> =>
      untilDone(call).finally(() => ends.add(asked.question));
    /** Does something with a prompt once it is stored, unless its call has ended without a prompt. */
    const then = async (asked: Asked, act: (callbackId: string) => Promise<boolean>): Promise<void> => {
      const callbackId = await this.storedId(asked, () => ends.has(asked.question));
      if (callbackId !== undefined) await untilDone(() => act(callbackId));
    };
    await Promise.all([
      ask(answered, () => askInProcess(recorder, node, answered)),
      ask(withdrawn, () => askByRest(recorder, node, withdrawn)),
      ask(cancelled, () => askInProcess(recorder, node, cancelled)),
      ask(timedOut, () => askInProcess(recorder, node, timedOut)),
      then(answered, async (callbackId) => {
        const given = [callbackId, no, effective(no)] as const;
        return (await device.answer(...given)) || (await answerByRest(recorder, node, ...given));
      }),
      then(withdrawn, (callbackId) => withdrawByRest(recorder, node, callbackId)),
      then(cancelled, () => cancelByRest(recorder, node, cancelled.taskId, userId)),
    ]);
    this.store.inject({ ...fault, times: 0 });
    await device.leave();
    await this.readAll();
    return this.log.slice(logged).some((line) => /injected fault|thread ended/.test(line));
  }

  /** The prompt's id once it is stored, whether a device was shown it or not. */
  private async storedId({ question, userId }: Asked, isOver: () => boolean): Promise<string | undefined> {
    for (;;) {
      const over = isOver();
      const found = (await this.inbox(userId)).find(({ step }) => step === question);
      if (found || over) return found?.callbackId;
      await pause(2);
    }
  }

  private async inbox(userId: string): Promise<{ step: number; callbackId: string }[]> {
    const { notifications } = this.node;
    if (!notifications) throw new TypeError('this node is in another process');
    try {
      return (await notifications.listConfirmations({ userId, limit: 100 })).items;
    } catch {
      return []; // the fault
    }
  }

  private async readAll(): Promise<void> {
    const known = new Set<string>();
    for (const entry of this.recorder.entries) if (entry.kind === 'ended') known.add(entry.callbackId);
    for (const callbackId of [...known].slice(-4)) {
      for (let tries = 0; tries < 100 && !(await readByRest(this.recorder, this.node, callbackId)); tries += 1) await pause(2);
    }
  }
}
