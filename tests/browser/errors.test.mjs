/** Bad files, addresses, options and requests: each a clear error, and the next call works. */
import assert from 'node:assert/strict';
import { test } from './fixtures.mjs';
import { openPackage } from './package.mjs';

/** @type {import('@playwright/test').Page} */
let page;
test.beforeAll(async ({ browser, address }) => {
  page = await openPackage({ browser, address });
  await page.evaluate(async () => {
    const whole = await (await fetch(window.model)).arrayBuffer();
    Object.assign(window, { whole, reranker: await window.Reranker.load(window.model) });
  });
});
test.afterAll(() => page.close());

/** Sources that cannot be loaded: the expression of each, its error's kind, and what the message contains. */
const sources = [
  { name: 'no bytes', make: 'new Blob([])', kind: 'invalid_model', contains: /invalid model file/ },
  { name: 'a text file', make: 'new Blob(["Dear diary, today I learnt about file formats."])', kind: 'invalid_model', contains: /GGUF/i },
  { name: 'a page in place of the model', make: '"/"', kind: 'invalid_model', contains: /GGUF/i },
  { name: 'half a model', make: 'window.whole.slice(0, window.whole.byteLength / 2)', kind: 'invalid_model', contains: /invalid model file/ },
  { name: 'the first kilobyte', make: 'new Uint8Array(window.whole, 0, 1000)', kind: 'invalid_model', contains: /invalid model file/ },
  { name: 'one byte too few', make: 'window.whole.slice(0, -1)', kind: 'invalid_model', contains: /invalid model file/ },
  { name: 'an address with no file', make: '"models/none.gguf"', kind: 'download', contains: /models\/none\.gguf: .*404/ },
  { name: 'an address with no server', make: '"http://127.0.0.1:9/m.gguf"', kind: 'download', contains: /127\.0\.0\.1:9\/m\.gguf: could not be fetched/ },
  { name: 'no address', make: '"http://"', kind: 'invalid_value', field: 'source', contains: /^source: .*not a URL/ },
  { name: 'a number', make: '7', kind: 'invalid_shape', field: 'source', contains: /^source: must be a URL, File/ },
  { name: 'nothing', make: 'undefined', kind: 'invalid_shape', field: 'source', contains: /^source: / },
];

for (const { name, make, kind, field, contains } of sources) {
  test(`load refuses ${name}`, async () => {
    const { error } = await page.evaluate(`window.outcome(window.Reranker.load(${make}))`);
    assert.ok(error?.own, JSON.stringify(error));
    assert.equal(error.kind, kind, error.message);
    assert.equal(error.field, field);
    assert.match(error.message, contains);
  });
}

test('a download that breaks off is an error that says so', async () => {
  await page.route('**/broken.gguf', (route) =>
    route.fulfill({ status: 200, headers: { 'content-length': '5000' }, body: 'GGUF and no more' }));
  const { error } = await page.evaluate(() => window.outcome(window.Reranker.load('models/broken.gguf')));
  assert.equal(error?.kind, 'download', JSON.stringify(error));
  assert.match(error.message, /models\/broken\.gguf: .*(16 of 5000 bytes|broke off|could not be fetched)/);
});

const options = [
  { name: 'maxLength as text', make: '{ maxLength: "9" }', kind: 'invalid_shape', field: 'maxLength' },
  { name: 'maxLength 0', make: '{ maxLength: 0 }', kind: 'invalid_value', field: 'maxLength' },
  { name: 'threads as text', make: '{ threads: "2" }', kind: 'invalid_shape', field: 'threads' },
  { name: 'threads 0', make: '{ threads: 0 }', kind: 'invalid_value', field: 'threads', contains: /from 1 to 32/ },
  { name: 'threads 33', make: '{ threads: 33 }', kind: 'invalid_value', field: 'threads', contains: /from 1 to 32/ },
  { name: 'threads 1.5', make: '{ threads: 1.5 }', kind: 'invalid_value', field: 'threads' },
  { name: 'a build that is none', make: '{ build: "avx2" }', kind: 'invalid_value', field: 'build', contains: /simd128 or relaxed/ },
  { name: 'a build that is a number', make: '{ build: 1 }', kind: 'invalid_shape', field: 'build' },
  { name: 'a name that is a number', make: '{ name: 1 }', kind: 'invalid_shape', field: 'name' },
  { name: 'onProgress that is no function', make: '{ onProgress: true }', kind: 'invalid_shape', field: 'onProgress' },
  { name: 'a signal that is none', make: '{ signal: {} }', kind: 'invalid_shape', field: 'signal' },
  { name: 'headers that are none', make: '{ headers: { "a b": "c" } }', kind: 'invalid_shape', field: 'headers' },
  { name: 'options that are none', make: 'null', kind: 'invalid_shape', field: 'options' },
];

for (const { name, make, kind, field, contains = /./ } of options) {
  test(`load refuses ${name}`, async () => {
    const { error } = await page.evaluate(`window.outcome(window.Reranker.load(window.model, ${make}))`);
    assert.deepEqual([error?.kind, error?.field], [kind, field], JSON.stringify(error));
    assert.match(error?.message ?? '', contains);
  });
}

const requests = [
  { make: '{ query: "", documents: ["a"] }', kind: 'invalid_value', field: 'query' },
  { make: '{ query: " \\n ", documents: ["a"] }', kind: 'invalid_value', field: 'query' },
  { make: '{ query: 3, documents: ["a"] }', kind: 'invalid_shape', field: 'query' },
  { make: '{ documents: ["a"] }', kind: 'invalid_shape', field: 'query' },
  { make: '{ query: "q" }', kind: 'invalid_shape', field: 'documents' },
  { make: '{ query: "q", documents: "a" }', kind: 'invalid_shape', field: 'documents' },
  { make: '{ query: "q", documents: [] }', kind: 'invalid_value', field: 'documents' },
  { make: '{ query: "q", documents: ["a", 1] }', kind: 'invalid_shape', field: 'documents[1]' },
  { make: '{ query: "q", documents: ["a", undefined] }', kind: 'invalid_shape', field: 'documents[1]' },
  { make: '{ query: "q", documents: ["a"], top_n: 0 }', kind: 'invalid_value', field: 'top_n' },
  { make: '{ query: "q", documents: ["a"], top_n: -1 }', kind: 'invalid_value', field: 'top_n' },
  { make: '{ query: "q", documents: ["a"], top_n: 1.5 }', kind: 'invalid_value', field: 'top_n' },
  { make: '{ query: "q", documents: ["a"], top_n: NaN }', kind: 'invalid_value', field: 'top_n' },
  { make: '{ query: "q", documents: ["a"], top_n: "3" }', kind: 'invalid_shape', field: 'top_n' },
  { make: '{ query: "q", documents: ["a"], truncate: 1 }', kind: 'invalid_shape', field: 'truncate' },
  { make: '{ query: "q", documents: ["a"], instruction: {} }', kind: 'invalid_shape', field: 'instruction' },
  { make: '{ query: "q", documents: [() => 1] }', kind: 'invalid_shape', field: 'documents[0]' },
  { make: '{ query: "q", documents: [{ text: 1 }] }', kind: 'invalid_shape', field: 'documents[0]' },
  { make: '{ query: "q", documents: (() => { const loop = []; loop.push(loop); return loop; })() }', kind: 'invalid_shape', field: 'documents[0]' },
  { make: '{ query: "q", documents: new Array(2 ** 32 - 1) }', kind: 'invalid_value', field: 'documents' },
  { make: '{ query: (() => { const loop = []; loop.push(loop); return loop; })(), documents: ["a"] }', kind: 'invalid_shape', field: 'query' },
  { make: '{ query: () => 1, documents: ["a"] }', kind: 'invalid_shape', field: 'request' },
  { make: 'undefined', kind: 'invalid_shape', field: 'request' },
];

for (const { make, kind, field } of requests) {
  test(`rerank(${make}) names ${field}, and the next request works`, async () => {
    const { error, next } = await page.evaluate(`(async () => ({
      ...(await window.outcome(window.reranker.rerank(${make}))),
      next: await window.reranker.score('q', ['a', 'b']),
    }))()`);
    assert.ok(error?.own, JSON.stringify(error));
    assert.deepEqual([error.kind, error.field], [kind, field], error.message);
    assert.ok(error.message.startsWith(`${field}: `), error.message);
    assert.equal(next.length, 2);
  });
}

test('a NUL, an empty document and a blank one are texts like others', async () => {
  const scores = await page.evaluate(() => window.reranker.score('q', ['\0', '', ' ']));
  assert.equal(scores.length, 3);
  assert.ok(scores.every((score) => score >= 0 && score <= 1));
});
