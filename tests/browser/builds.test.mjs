/** The four builds of the module: which one is chosen, that their scores are equal, and what happens to their threads. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { MODEL } from '../../scripts/page.mjs';
import { EVERY_BROWSER, expect, test } from './fixtures.mjs';
import { openPackage } from './package.mjs';
import { ROOT, SEEDS, nativeScores } from './program.mjs';

/** @typedef {import('@playwright/test').Page} Page */

/**
 * Records which files of the builds a page fetches.
 * @param {Page} page
 */
function watchBuilds(page) {
  /** @type {string[]} */
  const fetched = [];
  page.on('request', (request) => {
    const path = request.url().match(/\/builds\/(.+)$/)?.[1];
    if (path && !fetched.includes(path)) fetched.push(path);
  });
  return fetched;
}

/** The diagnostics of a load with these options. */
async function diagnose(/** @type {Page} */ page, options = {}) {
  return page.evaluate(async (options) => {
    const reranker = await window.Reranker.load(window.model, options);
    const diagnostics = await reranker.diagnostics();
    reranker.dispose();
    return diagnostics;
  }, options);
}

for (const build of /** @type {const} */ (['simd128', 'relaxed'])) {
  for (const threads of [1, 2, 3]) {
    test(`${build} on ${threads}: scores equal the native program's, from one module and its bindings`, EVERY_BROWSER, async ({ browser, address }) => {
      const page = await openPackage({ browser, address });
      const fetched = watchBuilds(page);
      const requests = Object.values(SEEDS).map(({ query, documents }) => ({ query, documents }));
      const { diagnostics, scores } = await page.evaluate(async ({ requests, ...options }) => {
        const reranker = await window.Reranker.load(window.model, options);
        const scores = [];
        for (const { query, documents } of requests) scores.push(await reranker.score(query, documents));
        return { diagnostics: await reranker.diagnostics(), scores };
      }, { requests, build, threads });
      assert.equal(diagnostics.build, build);
      assert.equal(diagnostics.threads, threads);
      assert.equal(diagnostics.threads_reason, threads === 1 ? 'the option threads is 1' : undefined);
      const file = statSync(new URL(MODEL, ROOT)).size;
      assert.ok(diagnostics.memory_bytes > file, JSON.stringify(diagnostics));
      assert.ok(diagnostics.memory_bytes <= 1.25 * file + 64 * 2 ** 20, JSON.stringify(diagnostics));
      assert.equal(typeof diagnostics.backend, 'string');
      assert.equal(page.workers().length, threads);
      const name = threads === 1 ? build : `${build}-threads`;
      assert.deepEqual(fetched.sort(), [`${name}.js`, `${name}/qwen3_rerank.js`, `${name}/qwen3_rerank_bg.wasm`]);
      requests.forEach(({ query, documents }, place) => {
        assert.deepEqual(scores[place], nativeScores(query, documents), query);
      });
      await page.close();
    });
  }
}

test('the best build is the default: this browser has relaxed SIMD, and shares memory on this page', EVERY_BROWSER, async ({ browser, address }) => {
  const page = await openPackage({ browser, address });
  const { build, threads } = await diagnose(page);
  const processors = await page.evaluate(() => navigator.hardwareConcurrency);
  assert.deepEqual([build, threads], ['relaxed', Math.min(processors, 8)]);
  await page.close();
});

test('a browser without relaxed SIMD gets the other build, and is refused that one', async ({ browser, address }) => {
  const page = await openPackage({ browser, address });
  await page.evaluate(() => (WebAssembly.validate = () => false));
  assert.equal((await diagnose(page)).build, 'simd128');
  const { error } = await page.evaluate(() => window.outcome(window.Reranker.load(window.model, { build: 'relaxed' })));
  assert.deepEqual([error?.kind, error?.field], ['invalid_value', 'build']);
  await page.close();
});

test('a page that is not isolated runs on one thread, and says why', async ({ browser, address }) => {
  const page = await openPackage({ browser, address }, { isolated: false });
  assert.equal(await page.evaluate(() => crossOriginIsolated), false);
  const diagnostics = await diagnose(page, { threads: 2 });
  assert.equal(diagnostics.threads, 1);
  assert.match(diagnostics.threads_reason ?? '', /not cross-origin isolated.*Cross-Origin-Opener-Policy.*Cross-Origin-Embedder-Policy/);
  await page.close();
});

/**
 * Leaves the first worker's bindings as they are, and passes those of the other workers through `spoil`.
 * @param {Page} page
 * @param {(bindings: string) => string | null} spoil null for a file that is not found
 */
async function spoilThreads(page, spoil) {
  let first = true;
  await page.route('**/*-threads/qwen3_rerank.js', async (route) => {
    if (first) {
      first = false;
      return route.continue();
    }
    const response = await route.fetch();
    const body = spoil(await response.text());
    await route.fulfill(body === null ? { status: 404, body: 'not found' } : { response, body });
  });
}

/** Ways for a thread to fail before it joins the pool, and what the reason contains. */
const failures = [
  { name: 'cannot be loaded', spoil: () => null, contains: /its worker could not be started/ },
  {
    name: 'throws when it is instantiated', contains: /no room for one more/,
    spoil: (/** @type {string} */ bindings) =>
      bindings.replace('function initSync(module, memory) {', 'function initSync(module, memory) { throw new RangeError("no room for one more");'),
  },
  {
    name: 'stops before it joins the pool', contains: /unreachable/,
    spoil: (/** @type {string} */ bindings) =>
      bindings.replace('function runThread() {', 'function runThread() { throw new WebAssembly.RuntimeError("unreachable");'),
  },
  {
    name: 'never joins the pool', contains: /did not start within 10 s/,
    spoil: (/** @type {string} */ bindings) => bindings.replace('function runThread() {', 'function runThread() { return;'),
  },
];

for (const { name, spoil, contains } of failures) {
  test(`when a thread ${name}, the model is loaded on one`, async ({ browser, address }) => {
  const page = await openPackage({ browser, address });
    await spoilThreads(page, spoil);
    const [diagnostics, scores] = await page.evaluate(async () => {
      const reranker = await window.Reranker.load(window.model, { threads: 2 });
      return [await reranker.diagnostics(), await reranker.score('q', ['a', 'b'])];
    });
    assert.equal(diagnostics.threads, 1);
    assert.match(diagnostics.threads_reason ?? '', /^the threads could not be started: /);
    assert.match(diagnostics.threads_reason ?? '', contains);
    assert.equal(scores.length, 2);
    await untilWorkers(page, 1);
    await page.close();
  });
}

/** Records every worker that the page starts in `window.started`. */
const noteWorkers = (/** @type {Page} */ page) => page.addInitScript(() => {
  window.started = [];
  window.Worker = class extends Worker {
    constructor(/** @type {string | URL} */ url, /** @type {WorkerOptions | undefined} */ options) {
      super(url, options);
      window.started.push(this);
    }
  };
});

test('a thread that stops during a request rejects every call with its cause, and all workers end', async ({ browser, address }) => {
  const page = await openPackage({ browser, address }, { prepare: noteWorkers });
  const outcomes = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model, { threads: 2 });
    const { long } = await window.startLong(reranker);
    const queued = window.outcome(reranker.score('q', ['b']));
    const message = 'Uncaught RuntimeError: memory access out of bounds';
    window.started[1]?.dispatchEvent(new ErrorEvent('error', { message }));
    return [await long, await queued, await window.outcome(reranker.diagnostics())];
  });
  for (const outcome of outcomes) {
    assert.equal(outcome?.error?.kind, 'crashed', JSON.stringify(outcome));
    assert.match(outcome.error.message, /one of its threads: .*out of bounds/);
  }
  await untilWorkers(page, 0);
  await page.close();
});

test('an abort on several threads stops the computation, and does not disturb the next request', EVERY_BROWSER, async ({ browser, address }) => {
  const page = await openPackage({ browser, address });
  const { outcome, waited } = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model, { threads: 3 });
    const controller = new AbortController();
    const { long } = await window.startLong(reranker, { signal: controller.signal });
    controller.abort();
    const since = performance.now();
    await reranker.score('q', ['a']);
    return { outcome: await long, waited: performance.now() - since };
  });
  assert.equal(outcome?.error?.name, 'AbortError');
  assert.ok(waited < 10_000, `the next request waited ${waited} ms`);
  await page.close();
});

test('diagnostics are answered during a request', async ({ browser, address }) => {
  const page = await openPackage({ browser, address });
  const { threads, waited, outcome } = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model, { threads: 2 });
    const { long } = await window.startLong(reranker);
    const since = performance.now();
    const { threads } = await reranker.diagnostics();
    const waited = performance.now() - since;
    reranker.dispose();
    return { threads, waited, outcome: await long };
  });
  assert.equal(threads, 2);
  assert.ok(waited < 10_000, `${waited} ms`);
  assert.equal(outcome?.error?.kind, 'disposed');
  await page.close();
});

for (const busy of [true, false]) {
  test(`dispose ends all workers ${busy ? 'while it computes' : 'while it is idle'}`, async ({ browser, address }) => {
    const page = await openPackage({ browser, address });
    await page.evaluate(async (busy) => {
      const reranker = await window.Reranker.load(window.model, { threads: 3 });
      await (busy ? window.startLong(reranker) : reranker.score('q', ['a']));
      reranker.dispose();
    }, busy);
    await untilWorkers(page, 0);
    await page.close();
  });
}

/**
 * Waits until a page has so many workers: a browser does not end a blocked one at once.
 * @param {Page} page
 * @param {number} count
 */
async function untilWorkers(page, count) {
  await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(count);
}
