/** Files of every type in both kinds of build: their kernels give the native program's scores. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROOT, SEEDS, nativeScores, start } from './browser.mjs';
import { openPackage } from './package.mjs';

const FOLDER = 'target/types';
const TYPES = ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q2_k', 'q3_k', 'q4_k', 'q5_k', 'q6_k', 'q4_k_m'];

/** @type {Awaited<ReturnType<typeof start>>} */
let session;
before(async () => {
  mkdirSync(new URL(FOLDER, ROOT), { recursive: true });
  session = await start();
});
after(() => session?.stop());

for (const type of TYPES) {
  test(`${type}: scores of both builds equal the native program's`, async () => {
    const file = `${FOLDER}/${type}.gguf`;
    execFileSync('target/release/qwen3-rerank', ['random', '--shape', 'tiny', '--type', type, '--seed', '1', file], { cwd: ROOT });
    const { query, documents } = SEEDS.regolo;
    const native = nativeScores(query, documents, file);
    const page = await openPackage(session);
    await page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), { type: 'file' })));
    await page.setInputFiles('input', fileURLToPath(new URL(file, ROOT)));
    for (const build of /** @type {const} */ (['simd128', 'relaxed'])) {
      const { scores, paths } = await page.evaluate(async ({ query, documents, build }) => {
        const source = document.querySelector('input')?.files?.[0];
        if (!source) throw new Error('the file was not taken');
        const reranker = await window.Reranker.load(source, { build, threads: 1 });
        const answer = { scores: await reranker.score(query, documents), paths: (await reranker.diagnostics()).paths };
        reranker.dispose();
        return answer;
      }, { query, documents, build });
      assert.equal(scores.length, native.length);
      scores.forEach((score, index) => {
        const expected = native[index] ?? Number.NaN;
        // Equal margins; only the exponential of the shown score may round otherwise.
        assert.ok(Math.abs(score - expected) < 1e-12, `${build}, ${index}: ${score}, natively ${expected}`);
      });
      assert.ok(!Object.values(paths).includes('scalar'), `${build}: ${JSON.stringify(paths)}`);
    }
    await page.close();
  });
}
