/**
 * `npm run test:examples`: runs each example and checks the order that it gives. Needs what
 * `npm run test:browser` has built: the program, the packed package in target/page, Chromium and Vite.
 */
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { Failure, ROOT, output, run, script, step } from './run.mjs';
import { CHROMIUM, CHROMIUM_FLAGS } from './toolchain.mjs';

const PROGRAM = 'target/release/qwen3-rerank';
const PACKAGE = 'target/page/qwen3-rerank';
const BUNDLERS = 'target/bundlers/node_modules';

/** Copies of the examples, each with its node_modules. */
const COPIES = 'target/examples';

/** What every example must put first. */
const BEST = 'Washington, D.C. is the capital of the United States.';

/** Runs all examples. */
export async function testExamples() {
  for (const needed of [PROGRAM, `${PACKAGE}/dist/index.js`, `${BUNDLERS}/vite`]) {
    if (!existsSync(join(ROOT, needed))) throw new Failure(`${needed} is missing; npm run test:browser makes it`);
  }
  rust();
  await http();
  await pages();
}

function rust() {
  step('example: Rust');
  const printed = output('cargo', ['run', '--release', '--quiet', '--example', 'rerank']);
  expectBest('cargo run --example rerank', printed?.split('\n')[0]);
}

async function http() {
  step('example: HTTP');
  await withServer([], async (address) => {
    const printed = output('sh', ['examples/http/rerank.sh', address]);
    expectBest('examples/http/rerank.sh', printed && JSON.parse(printed).results[0].document);
  });
}

async function pages() {
  const page = copy('page');
  const app = copy('vite');
  symlinkSync(join(ROOT, BUNDLERS, 'vite'), join(ROOT, app, 'node_modules/vite'));
  step('example: Vite');
  await run(process.execPath, [join(BUNDLERS, 'vite/bin/vite.js'), 'build', app]);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_FLAGS });
  try {
    for (const folder of [page, `${app}/dist`]) {
      step(`example: ${folder} in Chromium`);
      await withServer(['--page', folder], async (address) => expectBest(folder, await rankIn(browser, address)));
    }
  } finally {
    await browser.close();
  }
}

/**
 * Puts an example beside the packed package, as `npm install` would.
 * @param {string} name
 */
function copy(name) {
  const folder = join(COPIES, name);
  rmSync(join(ROOT, folder), { recursive: true, force: true });
  mkdirSync(join(ROOT, folder, 'node_modules'), { recursive: true });
  cpSync(join(ROOT, PACKAGE), join(ROOT, folder, 'node_modules/qwen3-rerank'), { recursive: true });
  const own = (/** @type {string} */ path) => !/node_modules|dist$/.test(path.slice(ROOT.length));
  cpSync(join(ROOT, 'examples', name), join(ROOT, folder), { recursive: true, filter: own });
  // Not a part of the repository's own package.
  if (!existsSync(join(ROOT, folder, 'package.json'))) writeFileSync(join(ROOT, folder, 'package.json'), '{}\n');
  return folder;
}

/**
 * Presses the page's button and gives the text of the first result.
 * @param {import('playwright-core').Browser} browser
 * @param {string} address
 */
async function rankIn(browser, address) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto(address);
  await page.click('button:not([disabled])');
  const text = await page.innerText('li:first-child');
  // Browsers ask for an icon by themselves.
  const own = faults.filter((fault) => !fault.includes('404'));
  if (own.length > 0) throw new Failure(`the page complains: ${own.join('; ')}`);
  await page.close();
  return text;
}

/**
 * Starts the server on a free port, with the default model, for the time of `use`.
 * @param {string[]} options
 * @param {(address: string) => Promise<void>} use
 */
async function withServer(options, use) {
  const server = spawn(PROGRAM, ['serve', '--port', '0', ...options], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await use(await new Promise((resolve, reject) => {
      let printed = '';
      server.stdout.on('data', (/** @type {Buffer} */ chunk) => {
        printed += chunk;
        const address = printed.match(/http:\/\/\S+/);
        if (address) resolve(address[0]);
      });
      server.on('error', reject);
      server.on('exit', (code) => reject(new Failure(`the server ended with ${code}`)));
    }));
  } finally {
    server.kill();
  }
}

/**
 * @param {string} what
 * @param {string | null | undefined} first
 */
function expectBest(what, first) {
  if (!first?.includes(BEST)) throw new Failure(`${what} put this first: ${first ?? 'nothing'}`);
  console.log(`  ${first}`);
}

if (process.argv[1] === import.meta.filename) await script(testExamples);
