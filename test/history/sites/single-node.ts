/**
 * Where a workload finds the service: one node that can be stopped and started again on the same data, in this process
 * or in one of its own. Every step of a node's life goes into the record.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { Module, type DynamicModule, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  NotificationModule,
  NotificationService,
  NotificationWsAdapter,
  type NotificationOptions,
} from '../../../src/notification/index.js';
import { startProcess, type ServiceProcess } from '../../support/process.js';
import { verdictOf, type Recorder } from '../recorder.js';

/** A workload is one identity, and calls far more often than a client. */
export const NO_RATE_LIMIT = '1000000';

export interface Node {
  readonly name: string;
  readonly url: string;
  readonly wsUrl: string;
  /** In this process only. */
  readonly notifications?: NotificationService;
}

export interface Site {
  /** A node that runs, as soon as there is one. */
  node(): Promise<Node>;
  /** Stops a node and starts it again on its data, after `downMs` in which nothing runs. */
  restart(downMs: number): Promise<void>;
  close(): Promise<void>;
}

/** What two kinds of site have in common: a folder, and one node that comes and goes. */
abstract class OneNode implements Site {
  private current: Promise<Node>;
  private arrive!: (node: Promise<Node>) => void;
  protected folder = '';
  private ownsFolder = true;

  protected constructor(protected readonly recorder: Recorder) {
    this.current = new Promise((resolve) => (this.arrive = resolve));
  }

  node(): Promise<Node> {
    return this.current;
  }

  /** @param whileDown is done before the node starts again */
  async restart(downMs: number, whileDown?: () => Promise<void>): Promise<void> {
    this.current = new Promise((resolve) => (this.arrive = resolve));
    await this.down();
    await whileDown?.();
    if (downMs > 0) await new Promise((resolve) => setTimeout(resolve, downMs));
    await this.up();
  }

  async close(): Promise<void> {
    await this.down();
    if (this.ownsFolder) await rm(this.folder, { recursive: true, force: true });
  }

  /** @param folder outlives the site; by default it has one of its own */
  protected async open(folder?: string): Promise<this> {
    this.ownsFolder = folder === undefined;
    this.folder = folder ?? (await mkdtemp(join(tmpdir(), 'workload-')));
    await this.up();
    return this;
  }

  private async up(): Promise<void> {
    this.recorder.record({ kind: 'starting', node: 'node-1', at: Date.now() });
    this.arrive(this.startNode());
    await this.current;
  }

  private async down(): Promise<void> {
    this.recorder.record({ kind: 'stopping', node: 'node-1' });
    await this.stopNode();
    this.recorder.record({ kind: 'stopped', node: 'node-1', at: Date.now() });
  }

  protected abstract startNode(): Promise<Node>;
  protected abstract stopNode(): Promise<void>;
}

@Module({})
class Listening {
  /** Listens to `decisions$` from before the replay on, as an application would. */
  static on(options: NotificationOptions, recorder: Recorder): DynamicModule {
    const listener = {
      provide: 'decisionsListener',
      inject: [NotificationService],
      useFactory: (notifications: NotificationService) =>
        notifications.decisions$.subscribe((event) => {
          const { callbackId, step } = event;
          recorder.record({ kind: 'observed', observer: 'decisions$', callbackId, question: step, verdict: verdictOf(event) });
        }),
    };
    return { module: Listening, imports: [NotificationModule.forRoot(options)], providers: [listener] };
  }
}

/** A node in this process, stopped as a deployment stops it. */
export class InProcessSite extends OneNode {
  app: INestApplication | undefined;

  private constructor(
    recorder: Recorder,
    private readonly options: NotificationOptions,
    /** May change the module before it starts, for instance override a provider. */
    private readonly build: (module: DynamicModule) => Promise<INestApplication>,
  ) {
    super(recorder);
  }

  static create(
    recorder: Recorder,
    options: NotificationOptions = {},
    build: (module: DynamicModule) => Promise<INestApplication> = (module) =>
      NestFactory.create(module, { logger: false, abortOnError: false, forceCloseConnections: true }),
  ): Promise<InProcessSite> {
    return new InProcessSite(recorder, options, build).open(options.dataDir);
  }

  protected async startNode(): Promise<Node> {
    const options = {
      dataDir: this.folder,
      drainTimeoutMs: 0,
      compression: false,
      rateLimit: Number(NO_RATE_LIMIT),
      ...this.options,
    };
    const app = await this.build(Listening.on(options, this.recorder));
    app.useWebSocketAdapter(new NotificationWsAdapter(app));
    await app.listen(0, '127.0.0.1');
    this.app = app;
    const address = (app.getHttpServer() as Server).address();
    if (address === null || typeof address === 'string') throw new TypeError('the server listens on no port');
    const host = `127.0.0.1:${address.port}`;
    return { name: 'node-1', url: `http://${host}`, wsUrl: `ws://${host}`, notifications: app.get(NotificationService) };
  }

  protected async stopNode(): Promise<void> {
    await this.app?.close();
  }
}

/** The real program, ended by `kill -9`. */
export class ProcessSite extends OneNode {
  private process: ServiceProcess | undefined;
  /** How long each start took until the service was ready. */
  readonly readyAfterMs: number[] = [];

  private constructor(
    recorder: Recorder,
    private readonly environment: Record<string, string>,
  ) {
    super(recorder);
  }

  static create(recorder: Recorder, environment: Record<string, string> = {}): Promise<ProcessSite> {
    return new ProcessSite(recorder, environment).open(environment['WEBSOCKET_DATA_DIR']);
  }

  protected async startNode(): Promise<Node> {
    const began = performance.now();
    this.process = await startProcess({
      WEBSOCKET_DATA_DIR: this.folder,
      WEBSOCKET_LOG_LEVEL: 'info',
      WEBSOCKET_COMPRESSION: 'off',
      WEBSOCKET_RATE_LIMIT: NO_RATE_LIMIT,
      ...this.environment,
    });
    const { url, wsUrl } = this.process;
    const { status } = await fetch(`${url}/health/ready`);
    if (status !== 200) throw new Error(`not ready after start: ${status}`);
    this.readyAfterMs.push(performance.now() - began);
    return { name: 'node-1', url, wsUrl };
  }

  protected async stopNode(): Promise<void> {
    await this.process?.stop('SIGKILL');
  }
}
