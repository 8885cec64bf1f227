/** Progress: the last report of each phase is delivered, whatever a server says of a download's length. */
import assert from 'node:assert/strict';
import { startDownloads } from './downloads.mjs';
import { EVERY_BROWSER, test } from './fixtures.mjs';
import { openPackage } from './package.mjs';

/** @typedef {import('../../src/js/protocol.ts').LoadProgress} LoadProgress */

/** @type {import('@playwright/test').Page} */
let page;
/** @type {Awaited<ReturnType<typeof startDownloads>>} */
let downloads;
test.beforeAll(async ({ browser, address }) => {
  downloads = await startDownloads();
  page = await openPackage({ browser, address });
});
test.afterAll(async () => {
  await page.close();
  downloads.stop();
});

/**
 * Loads a model, and returns all reports.
 * @param {string} [url] of the default model when left out
 */
function loadReports(url) {
  return page.evaluate(async (url) => {
    /** @type {LoadProgress[]} */
    const reports = [];
    const onProgress = (/** @type {LoadProgress} */ report) => reports.push(report);
    const { value, error } = await window.outcome(window.Reranker.load(url ?? window.model, { onProgress }));
    /** @type {import('../../src/js/index.ts').Reranker | undefined} */ (value)?.dispose();
    return { reports, error };
  }, url);
}

/**
 * @param {LoadProgress[]} reports
 * @param {LoadProgress['phase']} phase
 */
function assertComplete(reports, phase) {
  const own = reports.filter((report) => report.phase === phase);
  const last = own.at(-1);
  assert.ok(last && last.loaded > 0 && last.loaded === last.total, JSON.stringify(own));
  const loaded = own.map((report) => report.loaded);
  assert.deepEqual(loaded, [...loaded].sort((a, b) => a - b));
  assert.equal(new Set(own.map((report) => JSON.stringify(report))).size, own.length, 'a report came twice');
  for (const report of own) assert.ok(report.total === null || report.loaded <= report.total, JSON.stringify(report));
  return own;
}

test('a load reports download and load up to their totals, in this order', EVERY_BROWSER, async () => {
  const { reports } = await loadReports();
  const download = assertComplete(reports, 'download');
  assert.deepEqual(reports, [...download, ...assertComplete(reports, 'load')]);
});

/** What a server says of the length, and the totals that may be reported before the last. */
const lengths = [
  { name: 'the exact length', path: '/exact.gguf', totals: () => [downloads.bytes] },
  { name: 'no length', path: '/chunked.gguf', totals: () => [null] },
  { name: 'the shorter length of a compressed body', path: '/shorter.gguf', totals: () => [downloads.compressed, null] },
  { name: 'the longer length of a stored body', path: '/longer.gguf', totals: null },
];

for (const { name, path, totals } of lengths) {
  test(`a server that tells ${name}: the last report has all bytes and their total`, EVERY_BROWSER, async () => {
    const { reports, error } = await loadReports(downloads.address + path);
    assert.equal(error, undefined, JSON.stringify(error));
    const own = assertComplete(reports, 'download');
    assert.deepEqual(own.at(-1), { phase: 'download', loaded: downloads.bytes, total: downloads.bytes });
    for (const { total } of own.slice(0, -1)) assert.ok(!totals || totals().includes(total), `${total}`);
    assertComplete(reports, 'load');
  });
}

test('an empty body reports that nothing came, and is no model', async () => {
  const { reports, error } = await loadReports(`${downloads.address}/empty.gguf`);
  assert.deepEqual(reports, [{ phase: 'download', loaded: 0, total: 0 }]);
  assert.equal(error?.kind, 'invalid_model', JSON.stringify(error));
});

for (const documents of [1, 60]) {
  test(`a request of ${documents} reports documents up to all of them, equal ones and blank ones too`, async () => {
    const reports = await page.evaluate(async (count) => {
      const reranker = await window.Reranker.load(window.model);
      /** @type {import('../../src/js/protocol.ts').RerankProgress[]} */
      const reports = [];
      const documents = Array.from({ length: count }, (_, index) => (index % 5 === 4 ? '' : `${index % 50} ${'word '.repeat(60)}`));
      await reranker.rerank({ query: 'q', documents, top_n: 1 }, { onProgress: (report) => reports.push(report) });
      reranker.dispose();
      return reports;
    }, documents);
    const counts = reports.map((report) => report.documents);
    assert.deepEqual(counts, [...counts].sort((a, b) => a - b));
    assert.deepEqual(reports.at(-1), { documents, total: documents });
  });
}
