/** Runs scripts with named arguments and decoded replies. */
import type { Keys } from '../keys.js';
import type { Script } from '../scripts/script.js';
import type { RedisConnections } from './redis-connections.js';

export class ScriptRunner {
  constructor(
    private readonly connections: RedisConnections,
    private readonly keys: Keys,
  ) {}

  /** Whether a script that a caller relies on waits for replicas. */
  get waitsForReplicas(): boolean {
    return this.connections.waitsForReplicas;
  }

  /** @throws EngineUnavailableError, StoreFullError */
  async run<Arguments, Reply>(script: Script<Arguments, Reply>, partition: number, values: Arguments): Promise<Reply> {
    return script.decode(await this.connections.run(script, [this.keys.root(partition)], script.encode(values)));
  }

  /** Whether one script may work on several partitions. */
  get isSingleServer(): boolean {
    return this.connections.isSingleServer;
  }

  /** Runs a script on several partitions of a single server. */
  async runOn<Arguments, Reply>(
    script: Script<Arguments, Reply>,
    partitions: readonly number[],
    values: Arguments,
  ): Promise<Reply> {
    const roots = partitions.map((partition) => this.keys.root(partition));
    return script.decode(await this.connections.run(script, roots, script.encode(values)));
  }

  /** Runs a script on the keys that all nodes share. */
  async runForNodes<Arguments, Reply>(script: Script<Arguments, Reply>, values: Arguments): Promise<Reply> {
    return script.decode(await this.connections.run(script, [this.keys.nodes], script.encode(values)));
  }
}
