/** Debian's Chromium, with names that lead to this machine and nowhere else. */
import { chromium, type Browser } from 'playwright-core';
import { findBinary } from './system.js';

/** @param names hosts that resolve to 127.0.0.1; every other name resolves to nothing */
export function startBrowser(names: readonly string[]): Promise<Browser> {
  const rules = [...names.map((name) => `MAP ${name} 127.0.0.1`), 'MAP * ~NOTFOUND', 'EXCLUDE localhost', 'EXCLUDE 127.0.0.1'];
  return chromium.launch({
    executablePath: findBinary('chromium') ?? '/usr/bin/chromium',
    // Playwright turns the back-forward cache off.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      `--host-resolver-rules=${rules.join(', ')}`,
    ],
  });
}
