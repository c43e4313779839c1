import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/app/app.config.js';
import { envExample, settingTables } from '../../src/app/settings/documents.js';
import { defaultOf, FILE_NAMES, SETTING_NAMES, settingOf, type SettingName } from '../../src/app/settings/settings.js';
import { WEBHOOK_EVENTS } from '../../src/protocol/webhook-events.js';
import { resolveOptions } from '../../src/notification/notification.options.js';

describe('the settings', () => {
  it('are usable when none is set', () => {
    const config = readConfig({});
    expect(config).toMatchObject({ host: '127.0.0.1', port: 8765, logLevels: { all: 'info' }, warnings: [] });
    expect(() => resolveOptions(config.notification)).not.toThrow();
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('are seconds, and become milliseconds', () => {
    const { notification } = readConfig({
      WEBSOCKET_PING_INTERVAL: '1.5',
      WEBSOCKET_DRAIN_TIMEOUT: '0',
      WEBSOCKET_RETENTION: '31536000',
    });
    expect(notification).toMatchObject({ pingIntervalMs: 1500, drainTimeoutMs: 0, retentionMs: 31_536_000_000 });
  });

  it('are lists, with blanks around and between forgiven', () => {
    const { notification } = readConfig({ WEBSOCKET_API_KEYS: ` ${'a'.repeat(16)} ,,${'b'.repeat(16)}` });
    expect(notification.apiKeys).toEqual(['a'.repeat(16), 'b'.repeat(16)]);
  });

  it.each<[SettingName, string]>([
    ['WEBSOCKET_PING_INTERVAL', '0'],
    ['WEBSOCKET_PING_INTERVAL', '0.0001'],
    ['WEBSOCKET_PING_TIMEOUT', '99999999999'],
    ['WEBSOCKET_CALLBACK_TIMEOUT', '1e3'],
    ['WEBSOCKET_CALLBACK_TIMEOUT', '9'.repeat(400)],
    ['WEBSOCKET_DRAIN_TIMEOUT', '86401'],
    ['WEBSOCKET_MAX_CONNECTIONS', '9007199254740993'],
    ['WEBSOCKET_ALLOWED_ORIGINS', 'https://a.example,b.example'],
    ['WEBSOCKET_PORT', ' 80'],
    ['WEBSOCKET_REDIS_PREFIX', 'a{b}'],
    ['WEBSOCKET_REDIS_PREFIX', 'ä'],
    ['WEBSOCKET_REDIS_PREFIX', 'x'.repeat(65)],
    ['WEBSOCKET_REDIS_URL', 'redis://:100%@a'],
    ['WEBSOCKET_REDIS_URL', 'redis://a/name'],
    ['WEBSOCKET_TRUST_PROXY', 'loopback,10.0.0.0/99'],
  ])('a value that no option accepts is refused by the name of its setting: %s=%s', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name} is .+, but takes .+`));
  });

  it('settings of a webhook belong together, and an error shows none of their values', () => {
    const refusal = (environment: Record<string, string>): string => {
      try {
        readConfig(environment);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    const [url, secret] = ['https://someone:password@a.example', `whsec_${Buffer.alloc(24).toString('base64')}`];
    const given = (WEBSOCKET_WEBHOOK_URL: string, WEBSOCKET_WEBHOOK_SECRET: string): Record<string, string> => ({
      WEBSOCKET_WEBHOOK_URL,
      WEBSOCKET_WEBHOOK_SECRET,
    });
    expect(readConfig({ ...given(url, `${secret}, ${secret}`), WEBSOCKET_WEBHOOK_TIMEOUT: '2.5' }).notification.webhook).toEqual({
      url,
      secret: [secret, secret],
      timeoutMs: 2500,
      events: [...WEBHOOK_EVENTS],
    });
    expect(readConfig({}).notification.webhook).toBeUndefined();
    expect(refusal(given(url, ''))).toBe('WEBSOCKET_WEBHOOK_URL is set, but it needs WEBSOCKET_WEBHOOK_SECRET');
    expect(refusal(given('', secret))).toBe('WEBSOCKET_WEBHOOK_SECRET is set, but it needs WEBSOCKET_WEBHOOK_URL');
    expect(refusal(given('someone:password@a.example', secret))).toBe(
      'WEBSOCKET_WEBHOOK_URL is not usable, but takes an http(s) URL',
    );
    const wrong = [
      `whsec_${Buffer.alloc(23, 5).toString('base64')}`,
      secret.slice(6),
      `${secret}!`,
      'whsec_not base64 at all, is it? no',
    ];
    for (const each of wrong)
      for (const secrets of [each, `${secret},${each}`]) {
        expect(refusal(given(url, secrets))).toMatch(/^WEBSOCKET_WEBHOOK_SECRET is not usable, but takes whsec_ and base64/);
        expect(refusal(given(url, secrets))).not.toContain(each);
      }
    const events = (WEBSOCKET_WEBHOOK_EVENTS: string) => ({ ...given(url, secret), WEBSOCKET_WEBHOOK_EVENTS });
    expect(readConfig(events(' task.resumed ,confirmation.opened')).notification.webhook?.events).toEqual([
      'task.resumed',
      'confirmation.opened',
    ]);
    expect(readConfig(events('')).notification.webhook?.events).toEqual([...WEBHOOK_EVENTS]);
    for (const wrong of ['confirmation.open', 'confirmation.opened,decided', ',', 'CONFIRMATION.OPENED'])
      expect(refusal(events(wrong))).toBe(
        `WEBSOCKET_WEBHOOK_EVENTS is ${JSON.stringify(wrong)}, but takes events, separated by commas: ${WEBHOOK_EVENTS.join(', ')}`,
      );
    expect(refusal({ WEBSOCKET_WEBHOOK_TIMEOUT: '3601' })).toContain('WEBSOCKET_WEBHOOK_TIMEOUT is "3601"');
  });

  it('have an address for people without a slash at its end, and refuse one to which nothing can be added', () => {
    const publicUrl = (WEBSOCKET_PUBLIC_URL: string) => readConfig({ WEBSOCKET_PUBLIC_URL }).notification.publicUrl;
    expect(publicUrl('https://ask.example')).toBe('https://ask.example');
    expect(publicUrl('https://ask.example:8443/a/b//')).toBe('https://ask.example:8443/a/b');
    expect(publicUrl('')).toBeUndefined();
    for (const wrong of [
      'ask.example',
      'ftp://a.example',
      'https://a.example/?b=c',
      'https://a.example#b',
      'https://u:p@a.example',
      'javascript:alert(1)',
    ])
      expect(() => publicUrl(wrong)).toThrow(/^WEBSOCKET_PUBLIC_URL is .+, but takes an http\(s\) URL/);
  });

  it('an unknown webhook event is refused, and the error lists the known ones', () => {
    const webhook = { url: 'https://a.example', secret: `whsec_${Buffer.alloc(24).toString('base64')}` };
    expect(resolveOptions({ webhook }).webhook?.events).toEqual([...WEBHOOK_EVENTS]);
    for (const wrong of ['confirmation.open', ''])
      expect(() => resolveOptions({ webhook: { ...webhook, events: [wrong as 'task.resumed'] } })).toThrow(
        `option webhook.events.0: must be some of ${WEBHOOK_EVENTS.join(', ')}`,
      );
    expect(() => resolveOptions({ webhook: { ...webhook, events: [] } })).toThrow('option webhook.events');
    expect(() => resolveOptions({ publicUrl: 'a.example' })).toThrow('option publicUrl');
  });

  it('an error shows no secret', () => {
    let message = '';
    try {
      readConfig({ WEBSOCKET_API_KEYS: 'secret' });
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(/WEBSOCKET_API_KEYS is .+, but takes .+/);
    expect(message).not.toContain('secret');
  });

  it('take their own defaults, and say in words what they take', () => {
    for (const name of SETTING_NAMES) {
      const [{ schema, takes }, value] = [settingOf(name), defaultOf(name)];
      expect([name, takes]).toEqual([name, expect.stringMatching(/^\S/)]);
      if (value !== undefined) expect([name, schema.safeParse(value).success]).toEqual([name, true]);
    }
  });

  it('set an option to the same value as the default that the option has by itself', () => {
    const defaults = resolveOptions({ allowOpenMode: true });
    const explicit = readConfig(Object.fromEntries(SETTING_NAMES.map((name) => [name, defaultOf(name)]))).notification;
    for (const name of SETTING_NAMES) {
      const { option } = settingOf(name);
      if (option === undefined) continue;
      expect([option, explicit[option]]).toEqual([option, defaultOf(name) === undefined ? undefined : defaults[option]]);
    }
  });

  it('stand with their defaults in .env.example, and with their descriptions in docs/settings.md', () => {
    expect(readFileSync('.env.example', 'utf8')).toBe(envExample());
    const cells = (text: string): string[][] =>
      text
        .split('\n')
        .filter((line) => line.startsWith('| `'))
        .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
    expect(cells(readFileSync('docs/settings.md', 'utf8'))).toEqual(cells(settingTables()));
    for (const name of FILE_NAMES)
      expect(readFileSync('docs/settings.md', 'utf8')).toContain(`\`${name.replace(/_FILE$/, '')}\``);
  });
});

describe('settings that contradict each other', () => {
  const key = { WEBSOCKET_JWT_SECRET: 'x'.repeat(32) };
  it.each<[Record<string, string>, RegExp]>([
    [{ WEBSOCKET_REDIS_URL: 'redis://:hidden@a' }, /^WEBSOCKET_REDIS_URL is set, but it needs WEBSOCKET_ENGINE=redis$/],
    [{ WEBSOCKET_REDIS_PREFIX: 'x' }, /^WEBSOCKET_REDIS_PREFIX .+ WEBSOCKET_ENGINE=redis$/],
    [{ WEBSOCKET_REDIS_ACCEPT_LOSS: 'on' }, /^WEBSOCKET_REDIS_ACCEPT_LOSS .+ WEBSOCKET_ENGINE=redis$/],
    [{ WEBSOCKET_REDIS_WAIT_REPLICAS: '1' }, /^WEBSOCKET_REDIS_WAIT_REPLICAS .+ WEBSOCKET_ENGINE=redis$/],
    [{ WEBSOCKET_WORKERS: '2' }, /^WEBSOCKET_WORKERS .+ WEBSOCKET_ENGINE=redis$/],
    [{ WEBSOCKET_ENGINE: 'redis' }, /^WEBSOCKET_ENGINE is "redis", but WEBSOCKET_REDIS_URL is not set$/],
    [key, /^WEBSOCKET_JWT_SECRET .+ WEBSOCKET_AUTH=jwt$/],
    [{ ...key, WEBSOCKET_AUTH: 'none' }, /^WEBSOCKET_JWT_SECRET .+ WEBSOCKET_AUTH=jwt$/],
    [{ WEBSOCKET_JWT_AUDIENCE: 'a' }, /^WEBSOCKET_JWT_AUDIENCE .+ WEBSOCKET_AUTH=jwt$/],
    [{ WEBSOCKET_JWT_ISSUER: 'a' }, /^WEBSOCKET_JWT_ISSUER .+ WEBSOCKET_AUTH=jwt$/],
    [{ WEBSOCKET_TOKEN_IN_QUERY: 'on' }, /^WEBSOCKET_TOKEN_IN_QUERY .+ WEBSOCKET_AUTH=jwt$/],
    [{ WEBSOCKET_AUTH: 'jwt' }, /^WEBSOCKET_AUTH is "jwt", which takes exactly one of .+ none is set$/],
    [
      { ...key, WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWKS_URL: 'https://keys.example' },
      /WEBSOCKET_JWT_SECRET and WEBSOCKET_JWKS_URL are set$/,
    ],
    [{ WEBSOCKET_WEBHOOK_TIMEOUT: '5' }, /^WEBSOCKET_WEBHOOK_TIMEOUT .+ WEBSOCKET_WEBHOOK_URL$/],
    [{ WEBSOCKET_WEBHOOK_EVENTS: 'task.resumed' }, /^WEBSOCKET_WEBHOOK_EVENTS .+ WEBSOCKET_WEBHOOK_URL$/],
    [
      { WEBSOCKET_LOG_FILE: 'a/../b', WEBSOCKET_AUDIT_FILE: 'b' },
      /^WEBSOCKET_AUDIT_FILE is "b", which is WEBSOCKET_LOG_FILE too$/,
    ],
  ])('stop the start with one line: %j', (environment, line) => {
    expect(() => readConfig(environment)).toThrow(line);
  });

  it('are none when every setting has its default, as in a copied .env.example', () => {
    const defaults = SETTING_NAMES.map((name) => [name, defaultOf(name) ?? '']);
    expect(readConfig(Object.fromEntries(defaults) as Record<string, string>).warnings).toEqual([]);
  });

  it('are none, but a warning, where a setting only has no effect', () => {
    const redis = { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: 'redis://a', WEBSOCKET_DATA_DIR: '/data' };
    expect(readConfig(redis).warnings).toEqual(['WEBSOCKET_DATA_DIR has no effect with WEBSOCKET_ENGINE=redis']);
  });
});

describe('PORT', () => {
  it('counts where WEBSOCKET_PORT is absent or empty, and is named when it is wrong', () => {
    expect(readConfig({ PORT: '3000' }).port).toBe(3000);
    expect(readConfig({ PORT: '3000', WEBSOCKET_PORT: '' }).port).toBe(3000);
    expect(readConfig({ PORT: '3000', WEBSOCKET_PORT: '4000' }).port).toBe(4000);
    expect(() => readConfig({ PORT: 'web' })).toThrow(/^PORT is "web", but takes a port/);
  });
});

describe('a secret in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const fileWith = (text: string): string => {
    const path = join(folder, randomUUID());
    writeFileSync(path, text);
    return path;
  };

  it.each<[SettingName, string, Record<string, string>]>([
    ['WEBSOCKET_JWT_SECRET', 'x'.repeat(32), { WEBSOCKET_AUTH: 'jwt' }],
    ['WEBSOCKET_API_KEYS', 'a-key-of-16-letters', {}],
    ['WEBSOCKET_REDIS_URL', 'redis://:password@a', { WEBSOCKET_ENGINE: 'redis' }],
    ['WEBSOCKET_WEBHOOK_URL', 'https://a.example', { WEBSOCKET_WEBHOOK_SECRET: `whsec_${'A'.repeat(32)}` }],
    ['WEBSOCKET_WEBHOOK_SECRET', `whsec_${'A'.repeat(32)}`, { WEBSOCKET_WEBHOOK_URL: 'https://a.example' }],
  ])('is the same as the setting %s, and line breaks at its end do not count', (name, value, others) => {
    const { authenticator: _one, ...expected } = readConfig({ ...others, [name]: value }).notification;
    const { authenticator: _other, ...found } = readConfig({
      ...others,
      [`${name}_FILE`]: fileWith(`${value}\r\n\n`),
    }).notification;
    expect(found).toEqual(expected);
  });

  it('is refused beside the setting itself, when it is empty, and when it cannot be read', () => {
    const path = fileWith('a-key-of-16-letters');
    expect(() => readConfig({ WEBSOCKET_API_KEYS: 'x'.repeat(16), WEBSOCKET_API_KEYS_FILE: path })).toThrow(
      /^WEBSOCKET_API_KEYS and WEBSOCKET_API_KEYS_FILE are both set/,
    );
    expect(() => readConfig({ WEBSOCKET_API_KEYS_FILE: fileWith('\n') })).toThrow(
      /^WEBSOCKET_API_KEYS_FILE is ".+", .+ is empty$/,
    );
    expect(() => readConfig({ WEBSOCKET_API_KEYS_FILE: `${path}-not` })).toThrow(
      `WEBSOCKET_API_KEYS_FILE is "${path}-not", but that cannot be read (ENOENT)`,
    );
  });
});
