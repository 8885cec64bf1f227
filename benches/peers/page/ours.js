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
    // Caches the shared prefix, so that the measured request is one pass of exactly `tokens` tokens.
    prepare: (/** @type {import('../work.mjs').Request} */ request) => score(request, ['']),
    prefill: (/** @type {import('../work.mjs').Request} */ request) => score(request, [request.own ?? '']),
    rerank: (/** @type {import('../work.mjs').Request} */ request) => score(request, request.documents),
    details: () => reranker.diagnostics?.() ?? {},
  };
}
