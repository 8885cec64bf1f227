/**
 * Models of the 0.6B shape, loaded from a File: their margins are the native
 * program's. Takes minutes and gigabytes: `npm run parity -- --large`.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from './fixtures.mjs';
import { openPackage, pickFile } from './package.mjs';
import { PROGRAM, ROOT, nativeScores } from './program.mjs';

const FOLDER = 'target/large';

/**
 * @typedef {{ type: string, seed: number, bytes: number, sets: string[] }} Model
 * @typedef {{ set: string, query: string, documents: string[] }} Request
 */

/** @type {{ large: Model[], requests: Request[] }} */
const golden = JSON.parse(readFileSync(new URL('tests/fixtures/golden.json', ROOT), 'utf8'));

test.beforeAll(() => mkdirSync(new URL(FOLDER, ROOT), { recursive: true }));

/** The log-odds of a probability. */
const margin = (/** @type {number} */ score) => Math.log(score / (1 - score));

for (const { type, seed, bytes, sets } of golden.large) {
  test(`0.6B shape, ${type}: margins are the native ones`, async ({ browser, address }) => {
    test.setTimeout(30 * 60_000);
    const file = `${FOLDER}/0.6b-${type}.gguf`;
    const random = ['random', '--shape', '0.6b', '--type', type, '--seed', String(seed), file];
    execFileSync(PROGRAM, random, { cwd: ROOT });
    const page = await openPackage({ browser, address });
    await pickFile(page, fileURLToPath(new URL(file, ROOT)));
    const loaded = await page.evaluate(async () => {
      const started = performance.now();
      const source = window.pickedFile();
      Object.assign(window, { reranker: await window.Reranker.load(source) });
      return { bytes: source.size, seconds: (performance.now() - started) / 1000 };
    });
    assert.equal(loaded.bytes, bytes);
    console.log(`loaded in ${loaded.seconds.toFixed(1)} s`);
    for (const { query, documents } of golden.requests.filter(({ set }) => sets.includes(set))) {
      assert.ok(documents.length >= 10);
      const started = performance.now();
      const scores = await page.evaluate(
        ({ query, documents }) => window.reranker.score(query, documents),
        { query, documents },
      );
      const seconds = (performance.now() - started) / 1000;
      const native = nativeScores(query, documents, file);
      const differences = scores.map((score, i) => Math.abs(margin(score) - margin(native[i] ?? Number.NaN)));
      const largest = Math.max(...differences);
      console.log(`${documents.length} documents in ${seconds.toFixed(1)} s; largest difference ${largest}`);
      // The same sums in the same order; only the log-odds of a printed score round.
      assert.ok(largest <= 1e-9, `${largest}`);
    }
    await page.evaluate(() => window.reranker.dispose());
    await page.close();
  });
}
