/** WebKitGTK, which has neither relaxed SIMD nor shared memory: its scores and margins are the native ones. */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { CASES, marginOf } from './golden.mjs';
import { ROOT, SEEDS, UNTRAINED, nativeScores, startServer } from './program.mjs';
import { WebKit } from './webdriver.mjs';

/** The page with the untrained model beside it. */
const FOLDER = fileURLToPath(new URL('target/webkit-page', ROOT));

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {WebKit} */
let webkit;
test.beforeAll(async () => {
  rmSync(FOLDER, { recursive: true, force: true });
  cpSync(new URL('target/page', ROOT), FOLDER, { recursive: true });
  cpSync(new URL(UNTRAINED, ROOT), join(FOLDER, 'untrained.gguf'));
  server = await startServer(FOLDER);
  webkit = await WebKit.start();
});
test.afterAll(async () => {
  await webkit?.stop();
  server?.stop();
});

/**
 * Scores of several requests by one model.
 * @param {{ model: string | null, requests: { query: string, documents: string[] }[] }} argument null for the default model
 */
function scores(argument) {
  return webkit.evaluate(async ({ model, requests }) => {
    const path = '/qwen3-rerank/dist/index.js';
    const { Reranker, defaultModel } = await import(path);
    const reranker = await Reranker.load(model ?? defaultModel);
    const scores = /** @type {number[][]} */ ([]);
    for (const { query, documents } of requests) scores.push(await reranker.score(query, documents));
    const { build, threads } = await reranker.diagnostics();
    reranker.dispose();
    return { scores, build, threads };
  }, argument);
}

test('scores equal the native program\'s, and margins of the untrained model the recorded ones', async () => {
  await webkit.goto(server.address);
  const seeds = Object.values(SEEDS).map(({ query, documents }) => ({ query, documents }));
  const seeded = await scores({ model: null, requests: seeds });
  assert.ok(['simd128', 'relaxed'].includes(seeded.build) && seeded.threads >= 1, JSON.stringify(seeded));
  seeds.forEach(({ query, documents }, index) => {
    assert.deepEqual(seeded.scores[index], nativeScores(query, documents), query);
  });
  const golden = await scores({ model: '/untrained.gguf', requests: CASES.map(({ query, documents }) => ({ query, documents })) });
  CASES.forEach(({ margins, query }, index) => {
    assert.deepEqual(golden.scores[index]?.map(marginOf), margins.map(Math.fround), query);
  });
});

test('the page ranks its example, Washington first', async () => {
  await webkit.goto(server.address);
  const first = () => webkit.evaluate(async () => document.querySelector('.result .text')?.textContent ?? '', undefined);
  await expect.poll(first, { timeout: 30_000 }).toMatch(/^Washington, D\.C\. is the capital/);
});
