/** A data folder of a test's own, and what can happen to it. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, EngineHandler, EngineSettings } from '../../src/notification/engine/engine.js';
import { EmbeddedEngine } from '../../src/notification/engine/embedded/embedded-engine.js';
import type { EmbeddedEngineOptions } from '../../src/notification/engine/embedded/embedded-options.js';

export const SETTINGS: EngineSettings = {
  retentionMs: 86_400_000,
  historySize: 1000,
  historyTtlMs: 300_000,
  maxConnectionsPerUser: 20,
};

export const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'engine-'));

/** An engine on a folder that outlives it. */
export class EngineFolder {
  private readonly folders: string[] = [];
  private engine: Engine | undefined;
  readonly log: string[] = [];

  private constructor(public path: string) {
    this.folders.push(path);
  }

  static async create(): Promise<EngineFolder> {
    return new EngineFolder(await newFolder());
  }

  engineWith(settings: Partial<EngineSettings> = {}, options: Partial<EmbeddedEngineOptions> = {}): EmbeddedEngine {
    const logger = { warn: (message: string) => this.log.push(message), error: (message: string) => this.log.push(message) };
    const engine = new EmbeddedEngine({
      dataDir: this.path,
      settings: { ...SETTINGS, ...settings },
      logger,
      reserveBytes: 65_536,
      ...options,
    });
    this.engine = engine;
    return engine;
  }

  async start(handler: EngineHandler, settings?: Partial<EngineSettings>): Promise<Engine> {
    const engine = this.engineWith(settings);
    await engine.start(handler);
    return engine;
  }

  /** What the disk holds at this moment becomes the folder; what the engine does when it closes goes to the old one. */
  async crash(): Promise<void> {
    const snapshot = await newFolder();
    await cp(this.path, snapshot, { recursive: true });
    await this.engine?.close();
    this.path = snapshot;
    this.folders.push(snapshot);
  }

  async close(): Promise<void> {
    await this.engine?.close();
    for (const folder of this.folders) await rm(folder, { recursive: true, force: true });
  }
}
