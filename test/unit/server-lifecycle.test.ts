/** Starting and stopping at the same time, and stopping while something fails. */
import { ServerPhase } from '../../src/notification/server/server-phase.js';
import { Hub } from '../../src/notification/connection/hub.js';
import { ServiceClosedError } from '../../src/notification/notification.errors.js';
import { resolveOptions } from '../../src/notification/notification.options.js';
import { ServerLifecycle } from '../../src/notification/server/server-lifecycle.js';
import { fakeConnection } from '../support/fake-connection.js';

/** A lifecycle with one connection, whose drain takes a while. The parts record that they close; `broken` of them fail. */
async function begun(broken: string[] = []): Promise<{ lifecycle: ServerLifecycle; phase: ServerPhase; closed: string[] }> {
  const closed: string[] = [];
  const part = (name: string): never => {
    const end = (): void => {
      closed.push(name);
      if (broken.includes(name)) throw new Error(`${name} cannot be closed`);
    };
    return { close: end, stop: end } as never;
  };
  const phase = new ServerPhase();
  const hub = new Hub();
  hub.add(fakeConnection().connection);
  const lifecycle = new ServerLifecycle(
    resolveOptions({ drainTimeoutMs: 0 }),
    part('engine'),
    phase,
    hub,
    part('reading'),
    part('dispatcher'),
    part('confirmations'),
    part('acknowledgements'),
    part('cancellations'),
    part('heartbeats'),
    part('webhook'),
    part('wheel'),
  );
  await lifecycle.start();
  return { lifecycle, phase, closed };
}

describe('a server', () => {
  it.each([
    [['stop', 'start'], 'running'],
    [['stop', 'start', 'stop'], 'stopped'],
    [['stop', 'start', 'stop', 'start'], 'running'],
  ] as const)('after the calls %j is %s', async (calls, expected) => {
    const { lifecycle, phase } = await begun();
    await Promise.all(calls.map((call) => lifecycle[call]()));
    expect(phase.current).toBe(expected);
  });

  it('does not start once its application shuts down', async () => {
    const { lifecycle, phase } = await begun();
    const stopping = lifecycle.stop();
    const starting = lifecycle.start();
    await lifecycle.beforeApplicationShutdown();
    await Promise.all([stopping, starting]);
    await expect(lifecycle.start()).rejects.toThrow(ServiceClosedError);
    expect(phase.current).toBe('stopped');
  });

  it('closes every part although one fails, and reports the failure', async () => {
    const { lifecycle, closed } = await begun(['webhook']);
    await expect(lifecycle.onApplicationShutdown()).rejects.toThrow('webhook cannot be closed');
    expect(closed).toEqual(['heartbeats', 'wheel', 'webhook', 'engine', 'reading', 'cancellations', 'dispatcher']);
  });
});
