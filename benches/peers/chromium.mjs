/** Chromium with a page that runs one contender: each has its own browser, so that its memory is measured alone. */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve } from 'node:path';
import { chromium } from '@playwright/test';
import { ROOT } from '../../scripts/run.mjs';
import { BROWSERS, CHROMIUM_FLAGS } from '../../scripts/browsers.mjs';

/** @typedef {import('./work.mjs').Request} Request */
/** @typedef {import('./contender.mjs').Contender} Contender */

const PAGE = '<!doctype html><meta charset="utf-8"><title>bench</title><input type="file" id="model">';
/** Folders that pages may fetch from: the contenders' scripts, and what was built and installed. */
const FOLDERS = ['benches/peers/page', 'target/bench'];
/** @type {Record<string, string>} */
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' };
/** Headers that allow a page to share memory between threads. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
/** So that a page in the background is as fast as one in the foreground. */
const FLAGS = [...CHROMIUM_FLAGS, '--disable-renderer-backgrounding', '--disable-background-timer-throttling'];

/**
 * Opens a contender of benches/peers/page in a browser of its own.
 * @param {string} name of its script there
 * @param {string} file the model
 * @param {object} options of its own
 * @returns {Promise<Contender>}
 */
export async function openInChromium(name, file, options) {
  const server = await serve();
  const browser = await chromium.launch({ executablePath: BROWSERS.chromium.program, args: FLAGS });
  const close = async () => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    /** @type {string[]} */
    const said = [];
    page.on('console', (message) => said.push(message.text()));
    await page.goto(server.address);
    await page.setInputFiles('#model', resolve(ROOT, file));
    const loaded = await page.evaluate(load, { name, options }).catch((error) => {
      throw new Error(`${name}: ${error.message}\n${said.slice(-20).join('\n')}`);
    });
    return {
      ...loaded,
      prefill: (request) => page.evaluate(time, { verb: 'prefill', request }),
      rerank: (request) => page.evaluate(time, { verb: 'rerank', request }),
      details: () => page.evaluate(() => /** @type {any} */ (window).contender.details?.() ?? {}),
      peakBytes: () => rendererPeak(browser),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * In the page: loads the model that the page's input holds.
 * @param {{ name: string, options: object }} what
 */
async function load({ name, options }) {
  if (!crossOriginIsolated) throw new Error('the page may not share memory');
  const path = `/benches/peers/page/${name}.js`;
  const { open } = await import(path);
  const input = /** @type {HTMLInputElement} */ (document.getElementById('model'));
  const started = performance.now();
  Object.assign(window, { contender: await open(input.files?.[0], options) });
  return { loadSeconds: (performance.now() - started) / 1000 };
}

/**
 * In the page: runs one request.
 * @param {{ verb: string, request: Request }} what
 * @returns {Promise<import('./contender.mjs').Timing>}
 */
async function time({ verb, request }) {
  const { contender } = /** @type {any} */ (window);
  if (verb === 'prefill') await contender.prepare?.(request);
  const started = performance.now();
  const scores = await contender[verb](request);
  return { seconds: (performance.now() - started) / 1000, scores };
}

/**
 * Greatest memory of the browser's renderers so far, in bytes; null where the system does not report it.
 * @param {import('@playwright/test').Browser} browser
 */
async function rendererPeak(browser) {
  if (process.platform !== 'linux') return null;
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter(({ type }) => type === 'renderer');
  return Math.max(...renderers.map(({ id }) => peakOf(id) ?? 0));
}

/**
 * Greatest memory of a process so far, in bytes (VmHWM); null on other systems than Linux.
 * @param {number} id
 */
export function peakOf(id) {
  if (process.platform !== 'linux') return null;
  const kibibytes = readFileSync(`/proc/${id}/status`, 'utf8').match(/^VmHWM:\s*(\d+) kB$/m)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/**
 * Serves the page and `FOLDERS`.
 * @returns {Promise<{ address: string, close(): void }>}
 */
function serve() {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = resolve(ROOT, `.${decodeURIComponent(pathname)}`);
    const isOpen = FOLDERS.some((folder) => path.startsWith(join(ROOT, folder)));
    const size = isOpen ? statSync(path, { throwIfNoEntry: false })?.size : undefined;
    if (pathname === '/') {
      response.writeHead(200, { ...ISOLATION, 'Content-Type': 'text/html' }).end(PAGE);
    } else if (size === undefined) {
      response.writeHead(404, ISOLATION).end();
    } else {
      const type = TYPES[extname(path)] ?? 'application/octet-stream';
      response.writeHead(200, { ...ISOLATION, 'Content-Type': type, 'Content-Length': size });
      createReadStream(path).pipe(response);
    }
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      done({ address: `http://127.0.0.1:${port}/`, close: () => server.close() });
    });
  });
}
