/** In the page: the matrix products that this project's prefill makes, and nothing else. */

/** @param {File} file */
export async function open(file) {
  const worker = new Worker('/benches/peers/page/products-worker.js', { type: 'module' });
  /** @type {(type: string) => Promise<any>} */
  const answered = (type) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.type === type) resolve(data.result);
      else if (data.type === 'failure') reject(new Error(data.error.message));
    };
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  const ask = (/** @type {object} */ message) => {
    const answer = answered('result');
    worker.postMessage(message);
    return answer;
  };
  await answered('ready');
  await ask({ type: 'load', id: 1, source: file, threads: 1 });
  const diagnostics = await ask({ type: 'diagnostics', id: 2 });
  return {
    prefill: async (/** @type {import('../work.mjs').Request} */ { ids }) => {
      await ask({ type: 'products', id: 3, tokens: ids[0]?.length ?? 0 });
      return [];
    },
    details: () => diagnostics,
  };
}
