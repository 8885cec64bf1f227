/** The packed package in an application: its types, and its bundles by bundlers with their default settings. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from './fixtures.mjs';
import { ROOT, SEEDS, nativeScores, startServer } from './program.mjs';

/** Imports from target/bundlers, which the type checker does not know. */
const installed = (/** @type {string} */ path) => import(new URL(`target/bundlers/node_modules/${path}`, ROOT).href);
const { build: vite } = await installed('vite/dist/node/index.js');
const { default: webpack } = await installed('webpack/lib/index.js');

const APP = fileURLToPath(new URL('target/bundlers/app/', ROOT));
const { query, documents } = SEEDS.regolo;

const MAIN = `
  import { Reranker, defaultModel } from 'qwen3-rerank';
  const { build, threads, query, documents } = Object.fromEntries(new URLSearchParams(location.search));
  const reranker = await Reranker.load(defaultModel, { build, threads: Number(threads) });
  const outcome = {
    diagnostics: await reranker.diagnostics(),
    scores: await reranker.score(query, JSON.parse(documents)),
  };
  document.body.append(Object.assign(document.createElement('output'), { value: JSON.stringify(outcome) }));`;

const TYPED = `
  import { type Build, type Diagnostics, RerankError, Reranker, defaultModel } from 'qwen3-rerank';
  const build: Build = 'relaxed';
  const reranker: Reranker = await Reranker.load(defaultModel, {
    build, threads: 2, signal: AbortSignal.timeout(1000),
    onProgress: ({ phase, loaded, total }) => console.log(phase, loaded, total ?? 0),
  });
  const { threads, threads_reason, backend, paths, memory_bytes }: Diagnostics = await reranker.diagnostics();
  console.log(threads + memory_bytes, threads_reason?.length, backend.length, Object.keys(paths));
  try {
    // @ts-expect-error: a number
    await Reranker.load(defaultModel, { threads: '2' });
    // @ts-expect-error: none of the builds
    await Reranker.load(defaultModel, { build: 'avx2' });
  } catch (error) {
    if (error instanceof RerankError) console.log(error.kind === 'invalid_value', error.field);
  }`;

test.beforeAll(() => {
  rmSync(APP, { recursive: true, force: true });
  mkdirSync(`${APP}node_modules`, { recursive: true });
  cpSync(new URL('target/page/qwen3-rerank', ROOT), `${APP}node_modules/qwen3-rerank`, { recursive: true });
  writeFileSync(`${APP}package.json`, '{ "type": "module" }\n');
  writeFileSync(`${APP}index.html`, '<!doctype html><title>app</title><script type="module" src="main.js"></script>\n');
  writeFileSync(`${APP}main.js`, MAIN);
  writeFileSync(`${APP}typed.ts`, TYPED);
});

test('the declarations hold under --strict', () => {
  const options = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--target', 'es2022', '--module', 'esnext',
    '--moduleResolution', 'bundler', '--lib', 'es2022,dom', '--ignoreConfig'];
  const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', ROOT));
  const { status, stdout } = spawnSync(tsc, [...options, 'typed.ts'], { cwd: APP, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

/** Each puts the application into a folder. */
const bundlers = {
  async vite(/** @type {string} */ folder) {
    await vite({ root: APP, configFile: false, logLevel: 'warn', build: { outDir: folder, target: 'es2022' } });
  },
  async webpack(/** @type {string} */ folder) {
    const compiler = webpack({ mode: 'production', context: APP, entry: './main.js', output: { path: folder } });
    const stats = await new Promise((resolve, reject) => {
      compiler.run((/** @type {Error | null} */ error, /** @type {unknown} */ stats) => (error ? reject(error) : resolve(stats)));
    });
    assert.ok(!stats.hasErrors(), stats.toString());
    const page = '<!doctype html><title>app</title><script defer src="main.js"></script>\n';
    writeFileSync(`${folder}/index.html`, page);
  },
};

for (const [name, bundle] of Object.entries(bundlers)) {
  test(`${name} bundles the package, and all four builds work`, async ({ browser }) => {
    const folder = `${APP}${name}`;
    await bundle(folder);
    const server = await startServer(folder);
    const native = nativeScores(query, documents);
    const choices = ['simd128', 'relaxed'].flatMap((build) => ['1', '2'].map((threads) => ({ build, threads })));
    for (const { build, threads } of choices) {
      const page = await browser.newPage();
      const search = new URLSearchParams({ build, threads, query, documents: JSON.stringify(documents) });
      await page.goto(`${server.address}/?${search}`);
      const outcome = JSON.parse(await page.innerText('output'));
      assert.deepEqual([outcome.diagnostics.build, outcome.diagnostics.threads], [build, Number(threads)]);
      assert.deepEqual(outcome.scores, native);
      await page.close();
    }
    server.stop();
  });
}
