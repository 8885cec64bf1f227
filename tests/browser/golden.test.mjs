/** Recorded margins of the untrained model: equal to the last bit in every build and every browser. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { EVERY_BROWSER, test } from './fixtures.mjs';
import { CASES, marginOf } from './golden.mjs';
import { openPackage, pickFile } from './package.mjs';
import { ROOT, UNTRAINED } from './program.mjs';

for (const build of /** @type {const} */ (['simd128', 'relaxed'])) {
  for (const threads of [1, 2]) {
    test(`${build} on ${threads}: margins are the recorded native ones`, EVERY_BROWSER, async ({ browser, address }) => {
      const page = await openPackage({ browser, address });
      await pickFile(page, fileURLToPath(new URL(UNTRAINED, ROOT)));
      const requests = CASES.map(({ query, documents }) => ({ query, documents }));
      const { used, scores } = await page.evaluate(async ({ requests, ...options }) => {
        const reranker = await window.Reranker.load(window.pickedFile(), options);
        const scores = [];
        for (const { query, documents } of requests) scores.push(await reranker.score(query, documents));
        return { used: await reranker.diagnostics(), scores };
      }, { requests, build, threads });
      assert.deepEqual([used.build, used.threads], [build, threads]);
      CASES.forEach(({ margins, query }, index) => {
        assert.deepEqual(scores[index]?.map(marginOf), margins.map(Math.fround), query);
      });
      await page.close();
    });
  }
}
