/** In the page: this project's package. */

/**
 * @param {File} file
 * @param {{ threads?: number, build?: string }} options
 */
export async function open(file, options) {
  const path = '/target/bench/package/dist/index.js';
  const { Reranker } = await import(path);
  const reranker = await Reranker.load(file, options);
  /**
   * @param {import('../work.mjs').Request} request
   * @param {string[]} documents
   */
  const score = ({ instruction, query }, documents) => reranker.score(query, documents, { instruction });
  return {
    // Computes what a prompt begins with, so that what is measured is one pass of as many tokens as are counted.
    prepare: (/** @type {import('../work.mjs').Request} */ request) => score(request, ['']),
    prefill: (/** @type {import('../work.mjs').Request} */ request) => score(request, [request.own ?? '']),
    rerank: (/** @type {import('../work.mjs').Request} */ request) => score(request, request.documents),
    details: () => reranker.diagnostics?.() ?? {},
  };
}
