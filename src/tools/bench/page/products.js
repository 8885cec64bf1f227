/** In the page: the matrix products that this project's prefill makes, and nothing else. */

/**
 * @param {File} file
 * @param {{ build: string }} options
 */
export async function open(file, { build }) {
  const worker = new Worker('/src/tools/bench/page/products-worker.js', { type: 'module' });
  /** @returns {Promise<any>} */
  const ask = (/** @type {object} */ message) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(message);
  });
  const { details } = await ask({ file, build });
  return {
    prefill: async (/** @type {import('../work.mjs').Request} */ { ids }) => {
      await ask({ tokens: ids[0]?.length ?? 0 });
      return [];
    },
    details: () => details,
  };
}
