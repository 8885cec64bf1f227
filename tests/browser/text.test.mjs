/** Text that JavaScript can hold but Unicode cannot: half of a surrogate pair is U+FFFD wherever it stands. */
import assert from 'node:assert/strict';
import { EVERY_BROWSER, test } from './fixtures.mjs';
import { openPackage } from './package.mjs';
import { nativeScores } from './program.mjs';

/** @type {import('@playwright/test').Page} */
let page;
test.beforeAll(async ({ browser, address }) => {
  page = await openPackage({ browser, address });
  await page.evaluate(async () => {
    Object.assign(window, { reranker: await window.Reranker.load(window.model, { name: 'half \ud83d' }) });
  });
});
test.afterAll(() => page.close());

/** Texts with half a pair, and what they mean. */
const texts = [
  { name: 'a high surrogate at the end', text: 'cut \ud83d', meant: 'cut \ufffd' },
  { name: 'a low surrogate at the start', text: '\ude00 cut', meant: '\ufffd cut' },
  { name: 'a high surrogate before a letter', text: 'a\ud83db', meant: 'a\ufffdb' },
  { name: 'a pair in the wrong order', text: '\ude00\ud83d', meant: '\ufffd\ufffd' },
  { name: 'half a pair before a whole one', text: '\ud83d\ud83d\ude00', meant: '\ufffd\u{1f600}' },
];

for (const { name, text, meant } of texts) {
  test(`${name} is U+FFFD in a document and in a query, with the native scores`, EVERY_BROWSER, async () => {
    const [written, expected] = await page.evaluate((texts) => Promise.all(texts.map(async (text) => [
      await window.reranker.score('fine', ['fine', text, `${text} and more`]),
      await window.reranker.score(text, ['fine', text]),
    ])), [text, meant]);
    assert.deepEqual(written, expected);
    assert.deepEqual(written, [
      nativeScores('fine', ['fine', meant, `${meant} and more`]),
      nativeScores(meant, ['fine', meant]),
    ]);
  });
}

test('half a pair is U+FFFD in an instruction and in {"text"}, and the answer holds U+FFFD', async () => {
  const { instructed, expected, answer } = await page.evaluate(async () => {
    const documents = [{ text: 'cut \ud83d' }, 'fine'];
    const instructed = await window.reranker.score('q', documents, { instruction: 'Find \ud83d' });
    const expected = await window.reranker.score('q', ['cut \ufffd', 'fine'], { instruction: 'Find \ufffd' });
    return { instructed, expected, answer: await window.reranker.rerank({ query: 'q \udc00', documents }) };
  });
  assert.deepEqual(instructed, expected);
  assert.equal(answer.query, 'q \ufffd');
  assert.deepEqual(answer.results.map(({ document }) => document).sort(), ['cut \ufffd', 'fine']);
});

test('half a pair is U+FFFD in names of models', async () => {
  const { name, model } = await page.evaluate(async () => ({
    name: window.reranker.info.name,
    model: (await window.reranker.rerank({ query: 'q', documents: ['a'], model: 'half \ud83d' })).model,
  }));
  assert.deepEqual([name, model], ['half \ufffd', 'half \ufffd']);
});

test('half a pair in an address is the U+FFFD that URLs make of it; in a header it is refused', async () => {
  const outcomes = await page.evaluate(() => Promise.all([
    window.outcome(window.Reranker.load('models/\ud83d.gguf')),
    window.outcome(window.Reranker.load(window.model, { headers: { a: '\ud83d' } })),
  ]));
  assert.deepEqual([outcomes[0]?.error?.kind, outcomes[1]?.error?.kind], ['download', 'invalid_shape']);
  assert.match(outcomes[0]?.error?.message ?? '', /%EF%BF%BD\.gguf: .*404/);
  assert.equal(outcomes[1]?.error?.field, 'headers');
});
