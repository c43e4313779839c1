import { ConfigurationError } from '../../src/notification/notification.errors.js';
import { resolveOptions, type NotificationOptions } from '../../src/notification/notification.options.js';

const SECRET = `whsec_${Buffer.alloc(24).toString('base64')}`;

/** The message with which options are refused. */
function refusal(options: unknown): string | undefined {
  try {
    resolveOptions(options as NotificationOptions);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return undefined;
}

describe('the module’s options', () => {
  const { NODE_ENV } = process.env;
  afterEach(() => {
    process.env['NODE_ENV'] = NODE_ENV;
  });

  it('are complete without any being given', () => {
    expect(resolveOptions()).toMatchObject({
      paths: ['/ws'],
      dataDir: './data',
      maxConnections: 1000,
      maxConnectionsPerUser: 20,
      pingIntervalMs: 30_000,
      pingTimeoutMs: 10_000,
      callbackTimeoutMs: 300_000,
      timeoutDecision: 'proceed',
      maxPayload: 65_536,
      maxOutbox: 1_048_576,
      rateLimit: 200,
      rateBurst: 10_000,
      drainTimeoutMs: 10_000,
      retentionMs: 86_400_000,
      historySize: 1000,
      historyTtlMs: 300_000,
      authenticationTimeoutMs: 3000,
      engineTimeoutMs: 2000,
    });
    expect(Object.isFrozen(resolveOptions())).toBe(true);
  });

  it.each<[string, unknown]>([
    ['paths', []],
    ['paths.0', ['ws']],
    ['maxConnections', 0],
    ['maxConnections', 1.5],
    ['pingIntervalMs', Number.NaN],
    ['pingIntervalMs', Number.POSITIVE_INFINITY],
    ['callbackTimeoutMs', 366 * 86_400_000],
    ['timeoutDecision', 'maybe'],
    ['maxPayload', 10],
    ['drainTimeoutMs', -1],
    ['drainTimeoutMs', 2 ** 31],
    ['historySize', -1],
    ['compression', 'on'],
    ['authenticator', {}],
    ['apiKeys.0', ['short']],
    ['webhook.url', { url: 'ftp://a.example', secret: SECRET }],
    ['webhook.secret.0', { url: 'http://a.example', secret: 'whsec_c2hvcnQ=' }],
    ['webhook.secret.1', { url: 'http://a.example', secret: [SECRET, SECRET.slice(6)] }],
    ['webhook.secret', { url: 'http://a.example' }],
    ['webhook.timeoutMs', { url: 'http://a.example', secret: SECRET, timeoutMs: 3_600_001 }],
    ['port', 70_000],
  ])('an error names the wrong option: %s = %p', (path, value) => {
    expect(refusal({ [path.split('.')[0] ?? path]: value })).toMatch(new RegExp(`^option ${path}: .+`));
  });

  it('a webhook accepts one secret or several', () => {
    const url = 'https://user:pass@a.example/x?y';
    expect(resolveOptions({ webhook: { url, secret: SECRET } }).webhook).toMatchObject({
      url,
      secret: [SECRET],
      timeoutMs: 10_000,
    });
    expect(resolveOptions({ webhook: { url, secret: [SECRET, SECRET] } }).webhook?.secret).toHaveLength(2);
  });

  it('a misspelt option is refused', () => {
    expect(refusal({ maxConnection: 5 })).toContain('maxConnection');
  });

  it('refuse open mode in production unless it is asked for', () => {
    process.env['NODE_ENV'] = 'production';
    expect(refusal({})).toContain('allowOpenMode');
    expect(refusal({ allowOpenMode: true })).toBeUndefined();
    expect(refusal({ authenticator: { authenticate: async () => undefined } })).toBeUndefined();
  });
});
