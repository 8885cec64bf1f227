/** The examples that are pages: run as their README says, on the packed package. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from './fixtures.mjs';
import { ROOT, startServer } from './program.mjs';

const COPIES = 'target/examples';
const BEST = 'Washington, D.C. is the capital of the United States.';

const path = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, ROOT));

/**
 * Copies an example and puts the package into its node_modules, as `npm install` does.
 * @param {string} name
 */
function copy(name) {
  const folder = `${COPIES}/${name}`;
  rmSync(path(folder), { recursive: true, force: true });
  mkdirSync(path(`${folder}/node_modules`), { recursive: true });
  cpSync(path('target/page/qwen3-rerank'), path(`${folder}/node_modules/qwen3-rerank`), { recursive: true });
  // What someone who tried the example by hand has left there is none of it.
  const own = (/** @type {string} */ file) => !/[/\\](node_modules|dist)([/\\]|$)/.test(file.slice(path('examples').length));
  cpSync(path(`examples/${name}`), path(folder), { recursive: true, filter: own });
  return folder;
}

/**
 * Presses the page's button; its first result must be the right one.
 * @param {import('@playwright/test').Page} page
 * @param {string} folder
 */
async function assertItRanks(page, folder) {
  const server = await startServer(folder);
  /** @type {string[]} */
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(server.address);
  await page.click('button:not([disabled])');
  const first = await page.innerText('li:first-child');
  server.stop();
  assert.ok(first.includes(BEST), first);
  assert.deepEqual(faults, []);
}

test('the page without a bundler ranks', async ({ page }) => {
  await assertItRanks(page, copy('page'));
});

test('the Vite project builds and ranks', async ({ page }) => {
  const { build } = await import(new URL('target/bundlers/node_modules/vite/dist/node/index.js', ROOT).href);
  const folder = copy('vite');
  await build({ root: path(folder), logLevel: 'warn' });
  await assertItRanks(page, `${folder}/dist`);
});
