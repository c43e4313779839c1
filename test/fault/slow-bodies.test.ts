/** Bodies that never end: of nobody they are refused at once, of a caller after 30 s; others are served meanwhile. */
import { SECRET } from '../support/jwt.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { TcpExchange } from '../support/tcp-exchange.js';

const API_KEY = 'a-key-of-the-service';
const MEBIBYTE = 1024 * 1024;

let service: ServiceProcess;
beforeAll(async () => {
  service = await startProcess({
    WEBSOCKET_AUTH: 'jwt',
    WEBSOCKET_JWT_SECRET: SECRET,
    WEBSOCKET_API_KEYS: API_KEY,
    WEBSOCKET_LOG_LEVEL: 'info',
  });
  service.child.stdout?.resume();
});
afterAll(() => service.stop());

async function begin(count: number, path: string, headers: string, sent: number): Promise<TcpExchange[]> {
  const exchanges = await Promise.all(Array.from({ length: count }, () => TcpExchange.open(service.port)));
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Content-Length: ${MEBIBYTE}\r\n\r\n`;
  for (const exchange of exchanges) exchange.write(`${head}{"text":"${'x'.repeat(sent)}`);
  return exchanges;
}

const status = async (): Promise<number> =>
  (await fetch(`${service.url}/ws/status`, { headers: { 'x-api-key': API_KEY } })).status;

describe('bodies that never end', () => {
  it.each(['/ws/confirmations', '/ws/broadcast', '/nowhere', '/ws', '/health/live', '/metrics'])(
    'are answered and closed at once without a caller: 200 to %s',
    async (path) => {
      const began = performance.now();
      const exchanges = await begin(200, path, '', 500_000);
      expect(await status()).toBe(200);
      for (const exchange of exchanges) expect(await exchange.closed()).toMatch(/^(HTTP\/1\.1 4\d\d .*\r\n[^]*|)$/);
      expect(performance.now() - began).toBeLessThan(10_000);
    },
    60_000,
  );

  it('are closed after 30 s with a caller', async () => {
    const began = performance.now();
    const exchanges = await begin(10, '/ws/broadcast', `X-API-Key: ${API_KEY}\r\n`, 1000);
    expect(await status()).toBe(200);
    for (const exchange of exchanges) expect(await exchange.closed()).toMatch(/^HTTP\/1\.1 408 /);
    const tookMs = performance.now() - began;
    expect(tookMs).toBeGreaterThan(25_000);
    expect(tookMs).toBeLessThan(40_000);
    expect(await status()).toBe(200);
  }, 60_000);
});
