/** Playwright's test with this suite's fixtures: a served page, and the package inside an empty page. */
import { test as base } from '@playwright/test';
import { startServer } from './program.mjs';

export { expect } from '@playwright/test';

/** Tag of the tests that run in every browser, even where time is short. */
export const EVERY_BROWSER = { tag: '@every-browser' };

/**
 * @typedef {import('@playwright/test').Page} Page
 * @typedef {{ page: Page, faults: string[] }} Demo
 */

export const test = base.extend(
  /** @type {import('@playwright/test').Fixtures<{ demo: Demo }, { address: string }, import('@playwright/test').PlaywrightTestArgs, import('@playwright/test').PlaywrightWorkerArgs>} */
  ({
    /** Address of the demo page, served by the native program. */
    // biome-ignore lint/correctness/noEmptyPattern: Playwright demands a pattern, and reads from it what a fixture needs.
    address: [async ({}, use) => {
      const server = await startServer();
      await use(server.address);
      server.stop();
    }, { scope: 'worker' }],

    /** The demo page, and what it logs as errors. */
    demo: async ({ page, address }, use) => {
      /** @type {string[]} */
      const faults = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await page.goto(address);
      await use({ page, faults });
    },
  }),
);
