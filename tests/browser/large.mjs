/**
 * Models of the 0.6B shape, loaded from a File in Chromium: their margins are the
 * native program's. Takes minutes and gigabytes: `npm run parity -- --large`.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROOT, nativeScores, start } from './browser.mjs';
import { openPackage } from './package.mjs';

const FOLDER = 'target/large';

/**
 * @typedef {{ type: string, seed: number, bytes: number, sets: string[] }} Model
 * @typedef {{ set: string, query: string, documents: string[] }} Request
 */

/** @type {{ large: Model[], requests: Request[] }} */
const golden = JSON.parse(readFileSync(new URL('tests/fixtures/golden.json', ROOT), 'utf8'));

/** @type {Awaited<ReturnType<typeof start>>} */
let session;
before(async () => {
  mkdirSync(new URL(FOLDER, ROOT), { recursive: true });
  session = await start();
});
after(() => session?.stop());

/** The log-odds of a probability. */
const margin = (/** @type {number} */ score) => Math.log(score / (1 - score));

for (const { type, seed, bytes, sets } of golden.large) {
  test(`0.6B shape, ${type}: margins in Chromium are the native ones`, async (t) => {
    const file = `${FOLDER}/0.6b-${type}.gguf`;
    const random = ['random', '--shape', '0.6b', '--type', type, '--seed', String(seed), file];
    execFileSync('target/release/qwen3-rerank', random, { cwd: ROOT });
    const page = await openPackage(session);
    await page.evaluate(() => {
      document.body.append(Object.assign(document.createElement('input'), { type: 'file', id: 'large' }));
    });
    await page.setInputFiles('#large', fileURLToPath(new URL(file, ROOT)));
    const loaded = await page.evaluate(async () => {
      const started = performance.now();
      const input = /** @type {HTMLInputElement} */ (document.getElementById('large'));
      const source = input.files?.[0];
      if (!source) throw new Error('the file was not taken');
      Object.assign(window, { reranker: await window.Reranker.load(source) });
      return { bytes: source.size, seconds: (performance.now() - started) / 1000 };
    });
    assert.equal(loaded.bytes, bytes);
    t.diagnostic(`loaded in ${loaded.seconds.toFixed(1)} s`);
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
      t.diagnostic(`${documents.length} documents in ${seconds.toFixed(1)} s; largest difference ${largest}`);
      // The same sums in the same order; only the log-odds of a printed score round.
      assert.ok(largest <= 1e-9, `${largest}`);
    }
    await page.evaluate(() => window.reranker.dispose());
    await page.close();
  });
}
