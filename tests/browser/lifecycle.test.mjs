/** Concurrent requests, aborts, disposal and crashes: every call is settled exactly once. */
import assert from 'node:assert/strict';
import { EVERY_BROWSER, expect, test } from './fixtures.mjs';
import { openPackage } from './package.mjs';

/** @type {import('@playwright/test').Page} */
let page;
test.beforeAll(async ({ browser, address }) => {
  page = await openPackage({ browser, address });
  await page.evaluate(async () => {
    Object.assign(window, { reranker: await window.Reranker.load(window.model) });
  });
});
test.afterAll(() => page.close());

test('two requests at once are both answered, each with its own documents', async () => {
  const [first, second] = await page.evaluate(() => Promise.all([
    window.reranker.rerank({ query: 'one', documents: ['a', 'b'] }),
    window.reranker.rerank({ query: 'two', documents: ['c', 'd', 'e'] }),
  ]));
  assert.equal(first?.query, 'one');
  assert.deepEqual(first?.results.map((result) => result.document).sort(), ['a', 'b']);
  assert.equal(second?.query, 'two');
  assert.deepEqual(second?.results.map((result) => result.document).sort(), ['c', 'd', 'e']);
});

test('an abort rejects like fetch, stops the computation, and does not disturb the next request', EVERY_BROWSER, async () => {
  const { outcome, next, waited } = await page.evaluate(async () => {
    const controller = new AbortController();
    const { long } = await window.startLong(window.reranker, { signal: controller.signal });
    controller.abort();
    const since = performance.now();
    const next = await window.reranker.score('q', ['a']);
    return { outcome: await long, next, waited: performance.now() - since };
  });
  assert.equal(outcome?.error?.name, 'AbortError');
  assert.equal(next.length, 1);
  // All documents take a minute.
  assert.ok(waited < 5000, `the next request waited ${waited} ms`);
});

test('a request that waits in the queue can be aborted', async () => {
  const outcomes = await page.evaluate(async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const { long } = await window.startLong(window.reranker, { signal: first.signal });
    const queued = window.outcome(window.reranker.rerank({ query: 'q', documents: ['a'] }, { signal: second.signal }));
    second.abort(new Error('changed my mind'));
    const outcome = await queued;
    first.abort();
    return [outcome, await long, await window.outcome(window.reranker.score('q', ['a']))];
  });
  assert.equal(outcomes[0]?.error?.message, 'changed my mind');
  assert.equal(outcomes[1]?.error?.name, 'AbortError');
  assert.ok(outcomes[2]?.value);
});

test('signals that are aborted already stop loads and requests before they start', async () => {
  const outcomes = await page.evaluate(() => Promise.all([
    window.outcome(window.Reranker.load(window.model, { signal: AbortSignal.abort() })),
    window.outcome(window.reranker.score('q', ['a'], { signal: AbortSignal.abort() })),
  ]));
  for (const { error } of outcomes) assert.equal(error?.name, 'AbortError');
});

test('a load is aborted before its download answers', async () => {
  const asked = page.waitForRequest('**/slow.gguf');
  await page.route('**/slow.gguf', () => {});
  await page.evaluate(() => {
    const controller = new AbortController();
    const loading = window.outcome(window.Reranker.load('models/slow.gguf', { signal: controller.signal }));
    Object.assign(window, { loading, abortLoading: () => controller.abort() });
  });
  await asked;
  const { error } = await page.evaluate(async () => {
    window.abortLoading();
    return window.loading;
  });
  assert.equal(error?.name, 'AbortError');
});

test('dispose rejects calls under way and later ones, ends the worker, and may be called twice', async () => {
  const workers = page.workers().length;
  const outcomes = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model);
    const { long } = await window.startLong(reranker);
    const queued = window.outcome(reranker.rerank({ query: 'q', documents: ['a'] }));
    reranker.dispose();
    reranker.dispose();
    return Promise.all([long, queued, window.outcome(reranker.score('q', ['a']))]);
  });
  for (const outcome of outcomes) assert.equal(outcome?.error?.kind, 'disposed');
  await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(workers);
});

test('a failed load leaves no worker behind', async () => {
  const workers = page.workers().length;
  await page.evaluate(() => window.outcome(window.Reranker.load(new Blob(['no model']))));
  await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(workers);
});

/** Stands in for the module's bindings: a model that loads, and traps at its first request. */
const TRAP = `
  export default async function init() {}
  export function panicMessage() { return 'panicked at the test'; }
  export function sharedModule() {}
  export function sharedMemory() {}
  export function initSync() {}
  export function runThread() {}
  export function startThreads() {}
  export class Engine {
    get info() { return { name: 'trap', warnings: [] }; }
    start() { throw new WebAssembly.RuntimeError('unreachable'); }
  }`;

test('a crash rejects every call with its cause, and never hangs', async ({ browser, address }) => {
  const broken = await openPackage({ browser, address });
  await broken.route('**/qwen3_rerank.js', (route) => route.fulfill({ contentType: 'text/javascript', body: TRAP }));
  const outcomes = await broken.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model);
    const both = [reranker.score('q', ['a']), reranker.score('q', ['b'])].map(window.outcome);
    return [...(await Promise.all(both)), await window.outcome(reranker.score('q', ['c']))];
  });
  for (const { error } of outcomes) {
    assert.equal(error?.kind, 'crashed');
    assert.match(error.message, /panicked at the test/);
  }
  await broken.close();
});

for (const file of ['worker.js', 'builds/*.js', 'qwen3_rerank.js', 'qwen3_rerank_bg.wasm']) {
  test(`without ${file} a load fails and does not hang`, async ({ browser, address }) => {
    const broken = await openPackage({ browser, address });
    await broken.route(`**/${file}`, (route) => route.fulfill({ status: 404, body: 'not found' }));
    const { error } = await broken.evaluate(() => window.outcome(window.Reranker.load(window.model)));
    assert.equal(error?.kind, 'crashed', JSON.stringify(error));
    await broken.close();
  });
}
