/** The four builds of the module: which one runs, that their scores are one, and what becomes of their threads. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { MODEL } from '../../scripts/page.mjs';
import { ROOT, SEEDS, nativeScores, start } from './browser.mjs';
import { openPackage } from './package.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let session;
before(async () => (session = await start()));
after(() => session?.stop());

/**
 * Notes what a page fetches of the builds.
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

/** What a load with these options tells of itself. */
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
    test(`${build} on ${threads}: scores equal the native program's, from one module and its bindings`, async () => {
      const page = await openPackage(session);
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

test('the best build is the default: Chromium has relaxed SIMD, and shares memory on this page', async () => {
  const page = await openPackage(session);
  const { build, threads } = await diagnose(page);
  const processors = await page.evaluate(() => navigator.hardwareConcurrency);
  assert.deepEqual([build, threads], ['relaxed', Math.min(processors, 8)]);
  await page.close();
});

test('a browser without relaxed SIMD gets the other build, and is refused that one', async () => {
  const page = await openPackage(session);
  await page.evaluate(() => (WebAssembly.validate = () => false));
  assert.equal((await diagnose(page)).build, 'simd128');
  const { error } = await page.evaluate(() => window.outcome(window.Reranker.load(window.model, { build: 'relaxed' })));
  assert.deepEqual([error?.kind, error?.field], ['invalid_value', 'build']);
  await page.close();
});

test('a page that is not isolated runs on one thread, and says why', async () => {
  const page = await openPackage(session, { isolated: false });
  assert.equal(await page.evaluate(() => crossOriginIsolated), false);
  const diagnostics = await diagnose(page, { threads: 2 });
  assert.equal(diagnostics.threads, 1);
  assert.match(diagnostics.threads_reason ?? '', /not cross-origin isolated.*Cross-Origin-Opener-Policy.*Cross-Origin-Embedder-Policy/);
  await page.close();
});

/**
 * Lets the first worker have its bindings, and gives others what `spoil` makes of them.
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

/** Ways for a thread to fail before it takes part, and what is told of it. */
const failures = [
  { name: 'cannot be loaded', spoil: () => null, says: /its worker could not be started/ },
  {
    name: 'throws when it is instantiated', says: /no room for one more/,
    spoil: (/** @type {string} */ bindings) =>
      bindings.replace('function initSync(module, memory) {', 'function initSync(module, memory) { throw new RangeError("no room for one more");'),
  },
  {
    name: 'stops before it takes its seat', says: /unreachable/,
    spoil: (/** @type {string} */ bindings) =>
      bindings.replace('function runThread() {', 'function runThread() { throw new WebAssembly.RuntimeError("unreachable");'),
  },
  {
    name: 'never takes its seat', says: /did not start within 10 s/,
    spoil: (/** @type {string} */ bindings) => bindings.replace('function runThread() {', 'function runThread() { return;'),
  },
];

for (const { name, spoil, says } of failures) {
  test(`when a thread ${name}, the model is loaded on one`, async () => {
    const page = await openPackage(session);
    await spoilThreads(page, spoil);
    const [diagnostics, scores] = await page.evaluate(async () => {
      const reranker = await window.Reranker.load(window.model, { threads: 2 });
      return [await reranker.diagnostics(), await reranker.score('q', ['a', 'b'])];
    });
    assert.equal(diagnostics.threads, 1);
    assert.match(diagnostics.threads_reason ?? '', /^the threads could not be started: /);
    assert.match(diagnostics.threads_reason ?? '', says);
    assert.equal(scores.length, 2);
    await untilWorkers(page, 1);
    await page.close();
  });
}

/** Puts every worker that the page starts into `window.started`. */
const noteWorkers = (/** @type {Page} */ page) => page.addInitScript(() => {
  window.started = [];
  window.Worker = class extends Worker {
    constructor(/** @type {string | URL} */ url, /** @type {WorkerOptions | undefined} */ options) {
      super(url, options);
      window.started.push(this);
    }
  };
});

test('a thread that stops in mid-request rejects every call with its cause, and all workers end', async () => {
  const page = await openPackage(session, { prepare: noteWorkers });
  const outcomes = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model, { threads: 2 });
    const documents = Array.from({ length: 200 }, (_, index) => `${index} ${'some more words '.repeat(300)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const both = [reranker.score('q', documents), reranker.score('q', ['b'])].map(window.outcome);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const message = 'Uncaught RuntimeError: memory access out of bounds';
    window.started[1]?.dispatchEvent(new ErrorEvent('error', { message }));
    return [...(await Promise.all(both)), await window.outcome(reranker.diagnostics())];
  });
  for (const { error } of outcomes) {
    assert.equal(error?.kind, 'crashed', JSON.stringify(error));
    assert.match(error.message, /one of its threads: .*out of bounds/);
  }
  await untilWorkers(page, 0);
  await page.close();
});

test('an abort on several threads stops the computing, and leaves the next request be', async () => {
  const page = await openPackage(session);
  const { outcome, waited } = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model, { threads: 3 });
    const documents = Array.from({ length: 200 }, (_, index) => `${index} ${'some more words '.repeat(300)}`);
    const controller = new AbortController();
    const long = window.outcome(reranker.score('q', documents, { signal: controller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    controller.abort();
    const since = performance.now();
    await reranker.score('q', ['a']);
    return { outcome: await long, waited: performance.now() - since };
  });
  assert.equal(outcome.error?.name, 'AbortError');
  assert.ok(waited < 10_000, `the next request waited ${waited} ms`);
  await page.close();
});

test('diagnostics are told during a request', async () => {
  const page = await openPackage(session);
  const { threads, waited, error } = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model, { threads: 2 });
    const documents = Array.from({ length: 200 }, (_, index) => `${index} ${'some more words '.repeat(300)}`);
    const long = window.outcome(reranker.score('q', documents));
    const since = performance.now();
    const { threads } = await reranker.diagnostics();
    const waited = performance.now() - since;
    reranker.dispose();
    return { threads, waited, error: (await long).error };
  });
  assert.equal(threads, 2);
  assert.ok(waited < 10_000, `${waited} ms`);
  assert.equal(error?.kind, 'disposed');
  await page.close();
});

for (const at of ['while it computes', 'while it is idle']) {
  test(`dispose ends all workers ${at}`, async () => {
    const page = await openPackage(session);
    await page.evaluate(async (busy) => {
      const reranker = await window.Reranker.load(window.model, { threads: 3 });
      const documents = Array.from({ length: 200 }, (_, index) => `${index} ${'some more words '.repeat(300)}`);
      const long = window.outcome(reranker.score('q', busy ? documents : ['a']));
      await (busy ? new Promise((resolve) => setTimeout(resolve, 200)) : long);
      reranker.dispose();
    }, at === 'while it computes');
    await untilWorkers(page, 0);
    await page.close();
  });
}

/**
 * Waits until a page has so many workers; ten seconds at most, since Chromium waits some before it ends one that is blocked.
 * @param {Page} page
 * @param {number} count
 */
async function untilWorkers(page, count) {
  const end = Date.now() + 10_000;
  while (page.workers().length !== count) {
    assert.ok(Date.now() < end, `there are ${page.workers().length} workers`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
