/** The package inside a page: calls it, and brings its answers and errors out as plain values. */

/**
 * Opens a page that holds the package as `window.Reranker` and the model's
 * address as `window.model`.
 * @param {{ open(): Promise<{ page: import('playwright-core').Page }> }} session
 */
export async function openPackage(session) {
  const { page } = await session.open();
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
