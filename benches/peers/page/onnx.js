/** In the page: ONNX Runtime Web. */

/** @typedef {import('../work.mjs').Request} Request */

const FOLDER = '/target/bench/npm/node_modules/onnxruntime-web/dist/';
/** Rows of the graph's embedding; other ids than the text's, but the same work. */
const ROWS = 4096;

/**
 * @param {File} file
 * @param {{ threads: number }} options
 */
export async function open(file, { threads }) {
  const path = `${FOLDER}ort.wasm.min.mjs`;
  const ort = await import(path);
  // Its strictest setting: fails where relaxed SIMD is missing. Whether it is used is the build's affair.
  Object.assign(ort.env.wasm, { numThreads: threads, simd: 'relaxed', wasmPaths: new URL(FOLDER, location.href).href });
  const graph = new Uint8Array(await file.arrayBuffer());
  const session = await ort.InferenceSession.create(graph, { executionProviders: ['wasm'], graphOptimizationLevel: 'all' });
  /** All prompts as one batch, the shorter ones filled up. */
  const run = async (/** @type {Request} */ { ids }) => {
    const longest = Math.max(...ids.map((prompt) => prompt.length));
    const padded = ids.flatMap((prompt) => [...prompt, ...Array(longest - prompt.length).fill(0)]);
    const data = BigInt64Array.from(padded, (id) => BigInt(id % ROWS));
    const { margins } = await session.run({ input_ids: new ort.Tensor('int64', data, [ids.length, longest]) });
    if (!margins.data.every(Number.isFinite)) throw new Error('a margin is not finite');
    return [];
  };
  return { prefill: run, rerank: run };
}
