/** In the page: wllama, which is llama.cpp in WebAssembly. */

/** @typedef {import('../work.mjs').Request} Request */

const FOLDER = '/target/bench/npm/node_modules/@wllama/wllama/esm';

/** Loading for prompts alone, and for reranking; a prompt must fit one batch there. */
const FORMS = {
  prefill: {},
  rerank: { embeddings: true, pooling_type: 'rank' },
};

/**
 * @param {File} file
 * @param {{ threads: number, form: keyof typeof FORMS, longest: number }} options
 */
export async function open(file, { threads, form, longest }) {
  const path = `${FOLDER}/index.js`;
  const { Wllama, LoggerWithoutDebug } = await import(path);
  const wllama = new Wllama({ default: `${FOLDER}/wasm/wllama.wasm` }, { logger: LoggerWithoutDebug, suppressNativeLog: true });
  // The copies for browsers that lack something come from elsewhere.
  wllama.setCompat(null);
  await wllama.loadModel([file], {
    ...FORMS[form], n_threads: threads, n_gpu_layers: 0, n_parallel: 1,
    n_ctx: Math.max(1024, longest), n_batch: Math.max(512, longest), n_ubatch: Math.max(512, longest),
  });
  return {
    prefill: (/** @type {Request} */ { prompts, ids }) => prefill(wllama, prompts[0] ?? '', ids[0]?.length ?? 0),
    rerank: async (/** @type {Request} */ { query, documents }) => {
      const { results } = await wllama.createRerank({ query, documents });
      /** @type {{ index: number, relevance_score: number }[]} */
      const sorted = results.sort((/** @type {{ index: number }} */ a, /** @type {{ index: number }} */ b) => a.index - b.index);
      return sorted.map((result) => result.relevance_score);
    },
  };
}

/**
 * Reads a prompt, generating as little as it can be asked for.
 * @param {any} wllama
 * @param {string} prompt
 * @param {number} tokens
 */
async function prefill(wllama, prompt, tokens) {
  const answer = await wllama.createCompletion({ prompt, max_tokens: 1, temperature: 0, cache_prompt: false });
  const read = answer.usage?.prompt_tokens;
  if (read !== tokens) throw new Error(`wllama read ${read} tokens, not ${tokens}`);
  return [];
}
