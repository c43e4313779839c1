/** Hostile text and the security headers of the service's web page. */
import { requireBinary } from '../support/system.js';
import { startService } from '../support/service.js';
import { card, WebPages } from '../support/web-page.js';

declare const window: { stolen?: unknown };

const PAYLOADS = [
  '<img src=x onerror="stolen=1">',
  '<script>stolen=1</script>',
  '<svg onload=stolen=1>',
  '"><iframe srcdoc="<script>parent.stolen=1</script>">',
  "' onfocus=stolen=1 autofocus '",
  'javascript:stolen=1',
  '${stolen=1}',
  '{{constructor.constructor("stolen=1")()}}',
  '<style>*{background:url(javascript:stolen=1)}</style>',
  '</textarea><script>stolen=1</script>',
  '<!--><script>stolen=1</script-->',
];
/** What a reader cannot see, or what reorders text. */
const HIDDEN = ['\u202e', '\u0007', '\u200b', '\u2066', '\u034f', '\u17b4', '\u2800', '\ufe01', '\u{e0101}', '\u00ad', '\u2028'];

requireBinary('chromium')('the page and hostile text', () => {
  const pages = new WebPages();

  it.each(PAYLOADS)(
    'shows in every field, and never runs, %s',
    async (payload) => {
      const page = await pages.open();
      const options = [{ const: 'a', title: payload }];
      pages.leave(
        `message ${payload}`,
        {
          title: `title ${payload}`,
          metadata: { [payload]: payload },
          proposal: { [payload]: payload },
          choices: [{ id: 'x', label: `label ${payload}`, proceed: true }],
          inputSchema: {
            type: 'object',
            title: payload,
            description: payload,
            properties: {
              [payload]: { type: 'string', title: payload, description: payload, default: payload },
              pick: { type: 'string', oneOf: options },
              several: { type: 'array', title: payload, items: { anyOf: options } },
            },
          },
        },
        { step: payload, status: payload, result: { [payload]: [payload] }, error_code: payload, error_message: payload },
      );
      const shown = page.getByRole('article');
      await shown.getByLabel('Feedback').waitFor();
      await shown.getByRole('combobox').waitFor();
      const text = (await shown.textContent()) ?? '';
      expect(text.split(payload).length - 1).toBeGreaterThanOrEqual(17);
      expect(await shown.locator('img, script, iframe, style, svg').count()).toBe(0);
      expect(await page.evaluate(() => window.stolen)).toBe(undefined);
    },
    40_000,
  );

  it('shows characters that cannot be seen by their numbers, and leaves emoji whole', async () => {
    const page = await pages.open();
    pages.leave(`Pay ${HIDDEN.join('')} 1 €? ❤️ 👩‍💻 1️⃣`);
    const shown = page.getByRole('article');
    await shown.waitFor();
    const text = (await shown.textContent()) ?? '';
    for (const hidden of HIDDEN) {
      expect(text).not.toContain(hidden);
      expect(text).toContain(`U+${hidden.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`);
    }
    expect(text).toContain('❤️ 👩‍💻 1️⃣');
  }, 40_000);

  it('is framed by nobody, loads from its own service only, and turns no text into script', async () => {
    const { headers } = await fetch(pages.service.url, { headers: { accept: 'text/html' } });
    expect(headers.get('x-frame-options')).toBe('DENY');
    const policy = headers.get('content-security-policy') ?? '';
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ])
      expect(policy.split('; ')).toContain(rule);
    const page = await pages.open();
    const refused = await page.evaluate(
      `(() => { try { document.body.innerHTML = '<b>'; return false } catch { return true } })()`,
    );
    expect(refused).toBe(true);
  }, 40_000);

  it('is not there with WEBSOCKET_CONSOLE=off', async () => {
    const service = await startService({ environment: { WEBSOCKET_CONSOLE: 'off' } });
    try {
      const statusOf = async (path: string): Promise<number> =>
        (await service.rest('GET', path, undefined, { accept: 'text/html' })).status;
      // `/` takes upgrades all the same.
      expect([await statusOf('/'), await statusOf('/page/page.js')]).toEqual([426, 404]);
      const client = await service.connectAs('ann');
      expect(await client.request({ action: 'ping' })).toMatchObject({ type: 'pong' });
    } finally {
      await service.stop();
    }
  }, 40_000);

  it('shows the confirmation of its address, and says when it is somebody else’s or decided', async () => {
    await pages.open();
    const openFor = async (userId: string, message: string): Promise<string> =>
      (
        await pages.service.notifications.openConfirmation({
          userId,
          taskId: `t-${message}-${userId}`,
          step: 1,
          stepResult: { message },
        })
      ).confirmation.callbackId;
    await openFor(pages.user, 'Another?');
    const page = pages.context.pages()[0]!;
    await page.goto(`${pages.service.url}/?confirmation=${await openFor(pages.user, 'This one?')}`);
    await page.locator('article:focus', { hasText: 'This one?' }).waitFor();
    await page.goto(`${pages.service.url}/?confirmation=${await openFor('somebody', 'Not yours?')}`);
    await page.getByRole('alert').filter({ hasText: 'is not one of yours' }).waitFor();
    expect(await card(page, 'Not yours?').count()).toBe(0);
  }, 40_000);
});
