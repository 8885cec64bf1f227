/**
 * The browser suite: `npm run test:browser`, which builds what it needs first. Names of
 * projects after `--` choose browsers: `npm run test:browser -- firefox`.
 */
import { defineConfig } from '@playwright/test';
import { BROWSERS, CHROMIUM_FLAGS } from '../../scripts/browsers.mjs';

/** Set by `npm run test:browser -- firefox`; otherwise Firefox runs only what is tagged so. */
const everything = process.env['FIREFOX_TESTS'] === 'all';

/** By the path of the file: projects match on it. */
const [large, webkit] = ['**/large.test.mjs', '**/webkit.test.mjs'];

/** @type {import('@playwright/test').PlaywrightTestOptions & import('@playwright/test').PlaywrightWorkerOptions | object} */
const chromium = {
  browserName: 'chromium', launchOptions: { executablePath: BROWSERS.chromium.program, args: CHROMIUM_FLAGS },
};

export default defineConfig({
  testDir: '.',
  testMatch: '**/*.test.mjs',
  outputDir: '../../target/browser-tests',
  timeout: 120_000,
  // Several at once would disturb measured times.
  workers: 1,
  forbidOnly: process.env['CI'] === 'true',
  reporter: [['list']],
  projects: [
    { name: 'chromium', testIgnore: [large, webkit], use: chromium },
    {
      name: 'firefox',
      testIgnore: [large, webkit],
      ...(everything ? {} : { grep: /@every-browser/ }),
      // By WebDriver BiDi: Playwright's own protocol needs Playwright's own build of Firefox.
      use: { browserName: 'firefox', channel: 'moz-firefox', launchOptions: { executablePath: BROWSERS.firefox.program } },
    },
    // Playwright drives no WebKitGTK: its test speaks WebDriver itself.
    { name: 'webkit', testMatch: webkit },
    { name: 'large', testMatch: large, use: chromium },
  ],
});
