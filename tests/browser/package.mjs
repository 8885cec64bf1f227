/** The package inside a page: calls it, and brings its answers and errors out as plain values. */

/**
 * Opens an empty page that holds the package as `window.Reranker` and the model's
 * address as `window.model`. Its headers are the served page's, unless others are asked for.
 * @param {Awaited<ReturnType<typeof import('./browser.mjs').start>>} session
 * @param {{ prepare?: (page: import('playwright-core').Page) => Promise<unknown>, isolated?: boolean }} [options]
 */
export async function openPackage({ address, browser }, { prepare, isolated = true } = {}) {
  const page = await browser.newPage();
  await prepare?.(page);
  const empty = `${address}/empty.html`;
  await page.route(empty, async (route) => {
    const response = await route.fetch({ url: address });
    const kept = Object.entries(response.headers()).filter(([name]) =>
      name !== 'content-length' && (isolated || !name.startsWith('cross-origin-')));
    await route.fulfill({ response, headers: Object.fromEntries(kept), body: '<!doctype html><title>empty</title>' });
  });
  await page.goto(empty);
  await page.unroute(empty);
  await page.evaluate(async () => {
    const path = './qwen3-rerank/dist/index.js';
    const { Reranker, RerankError, defaultModel } = await import(new URL(path, document.baseURI).href);
    /** What a promise came to. */
    const outcome = async (/** @type {Promise<unknown>} */ promise) => {
      try {
        return { value: await promise };
      } catch (error) {
        const { name, kind, field, message } = /** @type {Record<string, unknown>} */ (error);
        return { error: { name, kind, field, message, own: error instanceof RerankError } };
      }
    };
    Object.assign(window, { Reranker, outcome, model: defaultModel.href });
  });
  return page;
}
