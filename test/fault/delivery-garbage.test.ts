/** A million frames of garbage from many connections: nothing crashes, nobody else notices, the log stays short. */
import { percentile } from '../support/bad-network-workload.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { maskedFrame, OPCODE, RawClient } from '../support/raw-client.js';
import { HealthyClients } from '../support/healthy-clients.js';

const TOTAL = Number(process.env['GARBAGE_FRAMES'] ?? 1_000_000);
const CONNECTIONS = 50;

let node: ServiceProcess;
let log = '';
beforeAll(async () => {
  node = await startProcess({ WEBSOCKET_LOG_LEVEL: 'info', WEBSOCKET_RATE_BURST: '2000' });
  for (const stream of [node.child.stdout, node.child.stderr]) stream?.on('data', (data: Buffer) => (log += data.toString()));
});
afterAll(() => node.stop('SIGKILL'));

/** Text that is no JSON, JSON that is no frame, frames of no action, and fields of wrong kinds. */
const GARBAGE = [
  'garbage',
  '{"action":',
  '[1,2,3]',
  'null',
  '"text"',
  '{"action":42}',
  '{"action":"dance"}',
  '{"action":"confirm","callback_id":{"$ne":1}}',
  '{"action":"subscribe"}',
  '{"action":"subscribe","user_id":[]}',
  '{"action":"subscribe","channel":"x","recover":{"epoch":1,"offset":-1}}',
  '{"__proto__":{"admin":true},"action":"ping"}',
  '['.repeat(200),
  '{"action":"ack","message_id":null}',
].map((text) => maskedFrame(OPCODE.text, text));
/** What breaks the protocol itself, with the code that answers it. */
const VIOLATIONS = [
  { code: 1007, bytes: maskedFrame(OPCODE.text, Buffer.from([0xff, 0xfe, 0xfd])) },
  { code: 1009, bytes: maskedFrame(OPCODE.text, 'x'.repeat(70_000)) },
  { code: 1002, bytes: maskedFrame(3, 'an opcode that is none') },
];

it('closes those who send it with the documented code and serves the others within 100 ms', async () => {
  const healthy = await HealthyClients.start(node.wsUrl, 10);
  let sent = 0;
  const codes = new Map<number | undefined, number>();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, own) => {
      const burst = Buffer.concat(Array.from({ length: 100 }, (_unused, index) => GARBAGE[(own + index) % GARBAGE.length]!));
      while (sent < TOTAL) {
        const raw = await RawClient.connect({ port: node.port });
        raw.keep = false;
        // Until it is closed for it.
        while (!raw.isClosed) {
          sent += 100;
          if (!raw.write(burst)) await raw.until(() => raw.isClosed || !raw.socket.writableNeedDrain);
          await new Promise(setImmediate);
        }
        codes.set(raw.closeCode, (codes.get(raw.closeCode) ?? 0) + 1);
      }
    }),
  );
  for (const { code, bytes } of VIOLATIONS) {
    const raw = await RawClient.connect({ port: node.port });
    raw.write(bytes);
    await raw.closed();
    expect(raw.closeCode).toBe(code);
  }
  const { times, lost } = await healthy.report();
  await healthy.stop();
  const p99 = percentile(times, 0.99);
  const lines = log.split('\n').length - 1;
  console.log(JSON.stringify({ sent, p99, samples: times.length, lines, codes: Object.fromEntries(codes) }));
  expect(lost).toBe(0);
  expect(node.child.exitCode).toBeNull();
  expect(lines).toBeLessThanOrEqual(100);
  expect(p99).toBeLessThanOrEqual(100);
  expect(codes.get(1008) ?? 0).toBeGreaterThan(0);
  // A client that floods may lose its connection before it has read the close code, but gets no other code.
  for (const code of codes.keys()) expect([1008, 4408, undefined]).toContain(code);
}, 300_000);
