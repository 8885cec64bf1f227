/**
 * A checkpoint that transformers saved → `quantize` → GGUF: llama.cpp loads it in
 * rank-pooling mode and its scores equal ours, and both equal transformers'.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { withModel } from './rank.mjs';

const root = new URL('../../', import.meta.url).pathname;
const binary = process.env['QWEN3_RERANK'] ?? join(root, 'target/release/qwen3-rerank');
const golden = JSON.parse(readFileSync(join(root, 'tests/fixtures/golden.json'), 'utf8'));
/** @type {{ query: string, document: string, ids: number[], margin: number }[]} */
const cases = golden.checkpoint;

// Bounds on the root mean square of the differences. llama.cpp keeps keys and values in
// f16; on margins near 1 that is seen in the fourth decimal. It rounds the activations
// of Q8_0 to 8 bits besides, which is seen in the second.
const BOUNDS = { f32: 2e-3, q8_0: 0.1 };
// Ours against transformers on the same f32 weights: sums in another order.
const EXACT = 2e-3;

/** @type {string} */
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'qwen3-rerank-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * The file of `quantize`, and our margins on it.
 * @param {string} type
 */
function quantize(type) {
  const file = join(folder, `${type}.gguf`);
  execFileSync(binary, ['quantize', '--from', join(root, 'tests/fixtures/checkpoint'), '--type', type, file]);
  const lines = cases.map(({ query, document }) => JSON.stringify({ query, document })).join('\n');
  const output = execFileSync(binary, ['score', '--model', file], { input: lines, encoding: 'utf8' });
  const answers = output.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(answers.map(({ tokens }) => tokens), cases.map(({ ids }) => ids.length));
  return { file, margins: answers.map(({ margin }) => margin) };
}

/** @typedef {(a: number[], b: number[]) => number} Measure */

const differences = (/** @type {number[]} */ a, /** @type {number[]} */ b) => a.map((value, i) => Math.abs(value - (b[i] ?? NaN)));
/** @type {Measure} */
const largest = (a, b) => Math.max(...differences(a, b));
/** @type {Measure} */
const rootMeanSquare = (a, b) => Math.hypot(...differences(a, b)) / Math.sqrt(a.length);

for (const [type, bound] of Object.entries(BOUNDS)) {
  test(`llama.cpp scores the ${type} file of a saved checkpoint as we do`, async (t) => {
    const { file, margins } = quantize(type);
    const theirs = await withModel(file, async ({ tokenize, margins: rank }) => {
      // Its tokenizer reads the file's vocabulary as ours does.
      for (const { query, document, ids } of cases) {
        assert.deepEqual(tokenize(prompt(query, document)), ids);
      }
      return rank(cases.map(({ ids }) => ids));
    });
    const error = rootMeanSquare(margins, theirs);
    const most = largest(margins, theirs);
    t.diagnostic(`differences of ${cases.length} margins: root mean square ${error}, largest ${most}`);
    assert.ok(error <= bound, `${error} > ${bound}: ${JSON.stringify({ margins, theirs })}`);
    if (type === 'f32') {
      const exact = largest(margins, cases.map(({ margin }) => margin));
      t.diagnostic(`largest difference from transformers: ${exact}`);
      assert.ok(exact <= EXACT);
    }
  });
}

/**
 * The official prompt, written out here so that the test does not rest on ours.
 * @param {string} query
 * @param {string} document
 */
function prompt(query, document) {
  return (
    '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n' +
    `<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n<Query>: ${query}\n<Document>: ${document}` +
    '<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n'
  );
}
