/** Files of every type in both kinds of build: their kernels give the native program's scores. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EVERY_BROWSER, test } from './fixtures.mjs';
import { openPackage, pickFile } from './package.mjs';
import { PROGRAM, ROOT, SEEDS, nativeScores } from './program.mjs';

const FOLDER = 'target/types';
const TYPES = ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q2_k', 'q3_k', 'q4_k', 'q5_k', 'q6_k', 'q4_k_m'];
/** Inputs that K types can hold, of one matrix more blocks than a kernel unpacks at once. */
const SHAPE = ['--shape', 'tiny', '--layers', '2', '--hidden', '256', '--ffn', '1536'];

test.beforeAll(() => mkdirSync(new URL(FOLDER, ROOT), { recursive: true }));

for (const type of TYPES) {
  test(`${type}: scores of all builds equal the native program's`, EVERY_BROWSER, async ({ browser, address }) => {
    const file = `${FOLDER}/${type}.gguf`;
    execFileSync(PROGRAM, ['random', ...SHAPE, '--type', type, '--seed', '1', file], { cwd: ROOT });
    const { query, documents } = SEEDS.regolo;
    const native = nativeScores(query, documents, file);
    const page = await openPackage({ browser, address });
    await pickFile(page, fileURLToPath(new URL(file, ROOT)));
    for (const [build, threads] of /** @type {const} */ ([['simd128', 1], ['simd128', 2], ['relaxed', 1], ['relaxed', 2]])) {
      const { scores, paths } = await page.evaluate(async ({ query, documents, build, threads }) => {
        const reranker = await window.Reranker.load(window.pickedFile(), { build, threads });
        const answer = { scores: await reranker.score(query, documents), paths: (await reranker.diagnostics()).paths };
        reranker.dispose();
        return answer;
      }, { query, documents, build, threads });
      assert.deepEqual(scores, native, `${build}, ${threads}`);
      for (const own of type === 'q4_k_m' ? ['Q4_K', 'Q6_K'] : [type.toUpperCase()]) {
        assert.match(paths[own] ?? '', /dot_i|f32 vector loops/, `${build}: ${JSON.stringify(paths)}`);
      }
    }
    await page.close();
  });
}
