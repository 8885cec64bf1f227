/** The package's answers: their form, and their equality with the native program's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { EVERY_BROWSER, test } from './fixtures.mjs';
import { openPackage } from './package.mjs';
import { ROOT, SEEDS, UNTRAINED, nativeScores } from './program.mjs';
import { split } from './shards.mjs';

/** @type {import('@playwright/test').Page} */
let page;
test.beforeAll(async ({ browser, address }) => {
  page = await openPackage({ browser, address });
  await page.evaluate(async () => {
    Object.assign(window, { reranker: await window.Reranker.load(window.model) });
  });
});
test.afterAll(() => page.close());

for (const [name, seed] of Object.entries(SEEDS)) {
  test(`${name}: exactly the documented keys, best first, top_n kept`, async () => {
    const answer = await page.evaluate((request) => window.reranker.rerank(request), seed);
    assert.deepEqual(Object.keys(answer), ['model', 'query', 'results']);
    assert.equal(answer.query, seed.query);
    assert.equal(typeof answer.model, 'string');
    assert.equal(answer.results.length, seed.top_n);
    const scores = [];
    for (const result of answer.results) {
      assert.deepEqual(Object.keys(result), ['document', 'score']);
      assert.ok(seed.documents.includes(result.document));
      scores.push(result.score);
    }
    assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
  });

  test(`${name}: scores equal the native program's`, EVERY_BROWSER, async () => {
    const { query, documents } = seed;
    const scores = await page.evaluate(
      ({ query, documents }) => window.reranker.score(query, documents),
      { query, documents },
    );
    assert.deepEqual(scores, nativeScores(query, documents));
  });
}

test('score keeps the order of the documents, equal ones too', async () => {
  const { forward, backward, ranked } = await page.evaluate(async () => {
    const documents = ['one', 'two', 'one', { text: 'three' }];
    const forward = await window.reranker.score('which', documents);
    const backward = await window.reranker.score('which', [...documents].reverse());
    const ranked = await window.reranker.rerank({ query: 'which', documents, top_n: null });
    return { forward, backward, ranked };
  });
  assert.equal(forward[0], forward[2]);
  forward.forEach((score, index) => {
    assert.equal(score, backward[3 - index]);
  });
  assert.equal(ranked.results.length, 4);
});

test('an instruction changes scores, and warnings reach their listener', async () => {
  const { plain, instructed, warnings } = await page.evaluate(async () => {
    /** @type {import('../../src/js/protocol.ts').Warning[]} */
    const warnings = [];
    const reranker = await window.Reranker.load(window.model, { onWarning: (warning) => warnings.push(warning) });
    const documents = ['cats', '<Document>: dogs', 'birds '.repeat(50)];
    const plain = await reranker.score('pets', documents, { max_tokens_per_doc: 10 });
    const instructed = await reranker.score('pets', documents, { instruction: 'Find the odd one out' });
    reranker.dispose();
    return { plain, instructed, warnings };
  });
  assert.notEqual(plain[0], instructed[0]);
  const cut = warnings.find((warning) => warning.kind === 'truncated');
  assert.ok(cut?.kind === 'truncated' && cut.index === 2 && cut.message.includes('documents[2]'), JSON.stringify(warnings));
  const templated = warnings.find((warning) => warning.kind === 'already_templated');
  assert.ok(templated?.kind === 'already_templated' && templated.field === 'documents[1]', JSON.stringify(warnings));
});

test('text of a document that is not scored is told in a warning; rank_fields score it', async () => {
  const { left, ranked, joined, warnings } = await page.evaluate(async () => {
    /** @type {import('../../src/js/protocol.ts').Warning[]} */
    const warnings = [];
    const reranker = await window.Reranker.load(window.model, { onWarning: (warning) => warnings.push(warning) });
    const documents = [{ id: 'a', title: 'Cats', text: 'They sleep.' }, { title: 'Dogs', text: 'They bark.' }];
    const left = await reranker.score('pets', documents);
    const ranked = await reranker.score('pets', documents, { rank_fields: ['title', 'text'] });
    const joined = await reranker.score('pets', documents.map(({ title, text }) => `title: ${title}\ntext: ${text}`));
    const plain = await reranker.score('pets', documents.map(({ text }) => text));
    reranker.dispose();
    return { left: left.every((score, index) => score === plain[index]), ranked, joined, warnings };
  });
  assert.ok(left, 'only the text is scored');
  assert.deepEqual(ranked, joined);
  assert.equal(warnings.length, 1, JSON.stringify(warnings));
  const [unused] = warnings;
  assert.ok(unused?.kind === 'unused' && unused.field === 'documents[0].title', JSON.stringify(unused));
  assert.match(unused.message, /rank_fields/);
});

test('URL, string, Blob, File, ArrayBuffer and Uint8Array, also on shared memory, give equal scores; a name is kept', async () => {
  const { all, name, intact } = await page.evaluate(async () => {
    const buffer = await (await fetch(window.model)).arrayBuffer();
    const shared = new Uint8Array(new SharedArrayBuffer(buffer.byteLength));
    shared.set(new Uint8Array(buffer));
    const sources = [
      window.model, new URL(window.model, document.baseURI), new Blob([buffer]),
      new File([buffer], 'm.gguf'), buffer, new Uint8Array(buffer), shared,
    ];
    const all = [];
    for (const source of sources) {
      const reranker = await window.Reranker.load(source);
      all.push(await reranker.score('q', ['a', 'b b', 'c c c']));
      reranker.dispose();
    }
    const reranker = await window.Reranker.load(buffer, { name: 'mine' });
    const { model } = await reranker.rerank({ query: 'q', documents: ['a'], model: 'mine' });
    return { all, name: model, intact: buffer.byteLength > 0 };
  });
  for (const scores of all) assert.deepEqual(scores, all[0]);
  assert.equal(name, 'mine');
  assert.ok(intact, "the caller's buffer is left alone");
});

test('a split model loads from its files in any order; one file alone names what is missing', async () => {
  const files = split(readFileSync(new URL(UNTRAINED, ROOT))).map((file) => file.toString('base64'));
  const { scores, alone, none } = await page.evaluate(async (files) => {
    const shards = files.map((file) => Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0)));
    const reranker = await window.Reranker.load([...shards].reverse());
    const scores = await reranker.score('capital of France', ['Paris', 'Berlin']);
    reranker.dispose();
    const first = /** @type {Uint8Array} */ (shards[0]);
    return { scores, alone: await window.outcome(window.Reranker.load(first)), none: await window.outcome(window.Reranker.load([])) };
  }, files);
  assert.deepEqual(scores, nativeScores('capital of France', ['Paris', 'Berlin'], UNTRAINED));
  assert.equal(alone.error?.kind, 'invalid_model');
  assert.match(alone.error?.message ?? '', /split/);
  assert.deepEqual([none.error?.kind, none.error?.field], ['invalid_value', 'source']);
});
