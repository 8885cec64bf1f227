/** Requests side by side, aborts, disposal and crashes: every call gets exactly one answer. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { start } from './browser.mjs';
import { openPackage } from './package.mjs';

/** @type {Awaited<ReturnType<typeof start>>} */
let session;
/** @type {import('playwright-core').Page} */
let page;
before(async () => {
  session = await start();
  page = await openPackage(session);
  await page.evaluate(async () => {
    const long = Array.from({ length: 400 }, (_, index) => `${index} ${'some more words '.repeat(300)}`);
    Object.assign(window, { long, reranker: await window.Reranker.load(window.model) });
  });
});
after(() => session?.stop());

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

test('an abort rejects like fetch, stops the computing, and leaves the next request be', async () => {
  const { outcome, reports, waited } = await page.evaluate(async () => {
    const controller = new AbortController();
    /** @type {number[]} */
    const reports = [];
    /** @type {Promise<Outcome> | undefined} */
    let long;
    await new Promise((started) => {
      const onProgress = (/** @type {{ documents: number }} */ { documents }) => started(reports.push(documents));
      const request = { query: 'q', documents: window.long };
      long = window.outcome(window.reranker.rerank(request, { signal: controller.signal, onProgress }));
    });
    controller.abort();
    const since = performance.now();
    await window.reranker.score('q', ['a']);
    return { outcome: await long, reports, waited: performance.now() - since };
  });
  assert.equal(outcome?.error?.name, 'AbortError');
  assert.ok(Math.max(...reports) < 400, `${reports.at(-1)} documents were scored`);
  assert.ok(waited < 3000, `the next request waited ${waited} ms`);
});

test('a request that waits in the queue can be aborted', async () => {
  const outcomes = await page.evaluate(async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const long = window.outcome(window.reranker.rerank({ query: 'q', documents: window.long }, { signal: first.signal }));
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

test('a load is aborted in mid-download', async () => {
  await page.route('**/slow.gguf', () => {});
  const { error } = await page.evaluate(() =>
    window.outcome(window.Reranker.load('models/slow.gguf', { signal: AbortSignal.timeout(200) })));
  assert.equal(error?.name, 'TimeoutError');
});

test('dispose rejects calls under way and later ones, ends the worker, and may be called twice', async () => {
  const workers = page.workers().length;
  const outcomes = await page.evaluate(async () => {
    const reranker = await window.Reranker.load(window.model);
    const pending = [
      window.outcome(reranker.rerank({ query: 'q', documents: window.long })),
      window.outcome(reranker.rerank({ query: 'q', documents: ['a'] })),
    ];
    reranker.dispose();
    reranker.dispose();
    return Promise.all([...pending, window.outcome(reranker.score('q', ['a']))]);
  });
  for (const { error } of outcomes) assert.equal(error?.kind, 'disposed');
  await assert.doesNotReject(until(() => page.workers().length === workers));
});

test('a failed load leaves no worker behind', async () => {
  const workers = page.workers().length;
  await page.evaluate(() => window.outcome(window.Reranker.load(new Blob(['no model']))));
  await assert.doesNotReject(until(() => page.workers().length === workers));
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

test('a crash rejects every call with its cause, and never hangs', async () => {
  const broken = await openPackage(session);
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
  test(`without ${file} a load fails and does not hang`, async () => {
    const broken = await openPackage(session);
    await broken.route(`**/${file}`, (route) => route.fulfill({ status: 404, body: 'not found' }));
    const { error } = await broken.evaluate(() => window.outcome(window.Reranker.load(window.model)));
    assert.equal(error?.kind, 'crashed', JSON.stringify(error));
    await broken.close();
  });
}

/**
 * Waits until something holds; ten seconds at most.
 * @param {() => boolean} holds
 */
async function until(holds) {
  for (const end = Date.now() + 10_000; !holds(); ) {
    if (Date.now() > end) throw new Error('it never came to hold');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
