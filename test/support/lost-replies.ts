/**
 * The reply of every script of the Redis engine is lost after the script ran: the call is refused within the deadline, and
 * its repetition, or the node's own next look, brings about exactly what one sound call would have.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Script } from '../../src/notification/engine/redis/scripts/script.js';
import { ConfigurationError, EngineUnavailableError } from '../../src/notification/notification.errors.js';
import { EngineRecorder } from './engine-recorder.js';
import { RedisNodes, untilAvailable, type Node } from './redis-nodes.js';
import { everyScript } from './redis-scripts.js';
import { RedisServer, type RedisMonitor } from './redis.js';
import { SCRIPT_CASES, type Scene, type ScriptCase } from './redis-script-cases.js';
import { TcpProxy } from './tcp-proxy.js';

/** Each key and how much is in it, but for the notes of who looked when; of a channel its offset as well. */
const SIZES = `
local sizes = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do if not string.find(key, ':meta$') and not string.find(key, ':report:') then
  local kind = redis.call('TYPE', key).ok
  local size = redis.call(({ string = 'EXISTS', hash = 'HLEN', zset = 'ZCARD', set = 'SCARD', stream = 'XLEN' })[kind], key)
  sizes[string.sub(key, #ARGV[1] + 1)] = string.find(key, ':position:') and size .. ' ' .. redis.call('HGET', key, 'head') or size
end end
return cjson.encode(sizes)`;

const SLOW_MACHINE_MS = 1000;

/** @param how `cut`: the connection breaks when the script has run; `silence`: it stays, and nothing comes any more */
export function describeLostReplies(how: 'cut' | 'silence', commandTimeoutMs: number): void {
  let server: RedisServer;
  let replica: RedisServer | undefined;
  let monitor: RedisMonitor;
  let scripts: Map<string, Script>;
  let runs = 0;
  const open: { close(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    [server, scripts] = await Promise.all([RedisServer.start(), everyScript()]);
    monitor = await server.monitor();
    // Otherwise Redis answers the first call of each script that it does not know it.
    for (const { source } of scripts.values()) await server.command('SCRIPT', 'LOAD', source);
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
    await replica?.stop();
    replica = undefined;
  });
  afterAll(async () => {
    monitor.stop();
    await server.stop();
  });

  const setUp = async ({ settings, options }: ScriptCase, later: boolean): Promise<{ scene: Scene; prefix: string }> => {
    const prefix = `run-${(runs += 1)}`;
    const proxy = await TcpProxy.start({ port: server.port });
    const [ours, others] = [`redis://127.0.0.1:${proxy.port}`, server.url].map(
      (url) => new RedisNodes(url, { keyPrefix: prefix, commandTimeoutMs, ...options }),
    ) as [RedisNodes, RedisNodes];
    open.push(proxy, ours, others);
    const startNode = () => ours.start(settings);
    const other = await startOther(others, settings?.retentionMs);
    other.recorder.reached = 0;
    const node = later ? other : await startNode();
    return { scene: { server, other, node, startNode, proxy }, prefix };
  };

  const sizes = async (prefix: string): Promise<unknown> => {
    const [, text = '{}'] = (await server.command('EVAL', SIZES, '0', prefix)).split('\r\n');
    return JSON.parse(text);
  };

  /** What one call that nothing happens to brings about. */
  const soundly = async (name: string, its: ScriptCase): Promise<{ same: unknown; sizes: unknown }> => {
    const { scene, prefix } = await setUp(its, name === 'layout');
    await its.given?.(scene);
    const result = await its.act(scene);
    await its.after?.(scene);
    return { same: its.same?.(result as never), sizes: await sizes(prefix) };
  };

  it.each(Object.entries(SCRIPT_CASES))('%s', async (name, its) => {
    if (its.options?.waitReplicas) replica = await server.startReplica();
    const sound = await soundly(name, its);
    const { scene, prefix } = await setUp(its, name === 'layout');
    const { sha = 'none' } = scripts.get(name) ?? {};
    await its.given?.(scene);
    monitor.forget();
    const dropping = scene.proxy.dropRepliesAfter(sha);
    const since = Date.now();
    const acting = Promise.allSettled([its.act(scene)]);
    const connection = await dropping;
    await monitor.saw(sha, `127.0.0.1:${connection.targetSees}`);
    if (how === 'cut') connection.cut();
    const [ended] = await acting;
    if (its.lost === 'heals') expect(ended.status).toBe('fulfilled');
    else expect(ended.status === 'rejected' && (ended.reason as unknown)).toEqual(expect.any(refusalOf(name)));
    expect(Date.now() - since).toBeLessThan(commandTimeoutMs + SLOW_MACHINE_MS);
    if (how === 'silence') connection.cut();
    if (its.lost !== 'heals' && !its.once) {
      const again = await untilAvailable(() => its.act(scene));
      expect(its.same?.(again as never)).toEqual(sound.same);
    }
    await its.after?.(scene);
    // What a node does by itself may still be on its way.
    let left = await sizes(prefix);
    for (let look = 0; look < 200 && !isDeepStrictEqual(left, sound.sizes); look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      left = await sizes(prefix);
    }
    expect(left).toEqual(sound.sizes);
  });
}

/** With a retention of its own the other node must have the same, and does not sweep: the node under test is to forget tasks. */
async function startOther(nodes: RedisNodes, retentionMs: number | undefined): Promise<Node> {
  if (retentionMs === undefined) return nodes.start();
  const recorder = new EngineRecorder();
  return { ...(await nodes.startWith(recorder, { retentionMs })), recorder };
}

/** A node that starts has nobody to refuse: it says why, and ends. */
const refusalOf = (name: string) => (name === 'layout' ? ConfigurationError : EngineUnavailableError);
