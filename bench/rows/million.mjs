/** What a question costs while others wait: a thousand to a million. */
import { Server } from '../harness/server.mjs';
import { summary } from '../harness/statistics.mjs';

const SAMPLE = 2000;
const single = (unit, value) => ({ unit, by: { ours: summary([value]) } });

export const million = {
  name: 'million',
  pace: 'long',
  title: 'A question while others are pending',
  contestants: ['ours, pending'],
  rounds: 1,
  async run({ keys: [key] }) {
    const server = new Server(key);
    const measures = {};
    try {
      await server.start();
      let pending = 0;
      for (const count of [1000, 10_000, 100_000, 1_000_000]) {
        await server.call('create', { count: count - pending });
        pending = count;
        const at = `with ${count.toLocaleString('en')} pending`;
        const times = await server.call('sample', { count: SAMPLE });
        for (const [what, value] of Object.entries(times)) measures[`${what}, ${at}`] = single('µs', value);
        measures[`memory, ${at}`] = single('MB', (await server.call('memory')) / 1e6);
      }
      await server.kill();
      await server.start();
      measures['start with all of them'] = single('s', (await server.cpu()).total / 1e6);
      return measures;
    } finally {
      await server.close();
    }
  },
};
