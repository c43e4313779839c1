/** A data folder of a test's own, and what can happen to it. */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, EngineHandler, EngineSettings } from '../../src/notification/engine/engine.js';
import { EmbeddedEngine } from '../../src/notification/engine/embedded/embedded-engine.js';
import { JOURNAL_FILE } from '../../src/notification/engine/embedded/publication-journal.js';
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

  /** The database becomes again what the disk holds at this moment: what the engine does when it closes is undone. */
  async crash(): Promise<void> {
    const snapshot = await this.copy();
    await this.engine?.close();
    for (const name of await readdir(this.path)) if (name.startsWith('notifications.db')) await rm(join(this.path, name));
    for (const name of await readdir(snapshot))
      if (name.startsWith('notifications.db')) await cp(join(snapshot, name), join(this.path, name));
  }

  /** A copy of the folder as it is now. */
  async copy(): Promise<string> {
    const copy = await newFolder();
    this.folders.push(copy);
    // Before the database, into which its lines move: what is published in time is in one of them.
    const journal = join(this.path, JOURNAL_FILE);
    if (existsSync(journal)) await cp(journal, join(copy, JOURNAL_FILE), { preserveTimestamps: true });
    const filter = (from: string): boolean => from !== journal;
    await cp(this.path, copy, { recursive: true, preserveTimestamps: true, filter });
    return copy;
  }

  /** Puts a copy in the folder's place, while no engine runs on it. */
  async restore(copy: string): Promise<void> {
    await rm(this.path, { recursive: true });
    await cp(copy, this.path, { recursive: true, preserveTimestamps: true });
  }

  async close(): Promise<void> {
    await this.engine?.close();
    for (const folder of this.folders) await rm(folder, { recursive: true, force: true });
  }
}
