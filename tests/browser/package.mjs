/** The package inside an empty page: calls it, and returns its results and errors as plain values. */

/**
 * Opens an empty page that holds the package as `window.Reranker` and the model's
 * address as `window.model`. Its headers are the served page's; without isolation, all but `Cross-Origin-*`.
 * @param {{ browser: import('@playwright/test').Browser, address: string }} session
 * @param {{ prepare?: (page: import('@playwright/test').Page) => Promise<unknown>, isolated?: boolean }} [options]
 */
export async function openPackage({ address, browser }, { prepare, isolated = true } = {}) {
  const page = await browser.newPage();
  await prepare?.(page);
  const empty = `${address}/empty.html`;
  await page.route(empty, async (route) => {
    const response = await fetch(address);
    const kept = [...response.headers].filter(([name]) =>
      name !== 'content-length' && (isolated || !name.startsWith('cross-origin-')));
    await route.fulfill({ status: 200, headers: Object.fromEntries(kept), body: '<!doctype html><title>empty</title>' });
  });
  await page.goto(empty);
  await page.unroute(empty);
  await page.evaluate(async () => {
    const path = './qwen3-rerank/dist/index.js';
    const { Reranker, RerankError, defaultModel } = await import(new URL(path, document.baseURI).href);
    /** @type {Window['outcome']} What a promise settles to. */
    const outcome = async (promise) => {
      try {
        return { value: await promise };
      } catch (error) {
        const { name, kind, field, message } = /** @type {NonNullable<Outcome['error']>} */ (error);
        return { error: { name, kind, field, message, own: error instanceof RerankError } };
      }
    };
    /** Starts a request that takes long, and waits until it computes. */
    const startLong = async (/** @type {import('../../src/js/index.ts').Reranker} */ reranker, options = {}) => {
      const documents = Array.from({ length: 400 }, (_, index) => `${index} ${'some more words '.repeat(300)}`);
      /** @type {Promise<Outcome> | undefined} */
      let long;
      await new Promise((computing) => {
        long = outcome(reranker.rerank({ query: 'q', documents }, { ...options, onProgress: computing }));
      });
      return { long };
    };
    Object.assign(window, { Reranker, outcome, startLong, model: defaultModel.href });
  });
  return page;
}

/**
 * Gives the page a file input with a file of this machine, for `window.pickedFile()`.
 * @param {import('@playwright/test').Page} page
 * @param {string} file
 */
export async function pickFile(page, file) {
  await page.evaluate(() => {
    const input = Object.assign(document.createElement('input'), { type: 'file', id: 'picked' });
    document.getElementById('picked')?.remove();
    document.body.append(input);
    window.pickedFile = () => {
      const picked = input.files?.[0];
      if (!picked) throw new Error('the file was not taken');
      return picked;
    };
  });
  await page.setInputFiles('#picked', file);
}
