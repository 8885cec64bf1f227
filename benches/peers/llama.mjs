/** llama.cpp natively, through node-llama-cpp: in its own process, so that its memory is measured alone. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ensureLlama } from '../../scripts/toolchain.mjs';
import { peakOf } from './chromium.mjs';
import { ended } from './contender.mjs';

/** @typedef {import('./work.mjs').Request} Request */
/** @typedef {import('./contender.mjs').Timing} Timing */

const LIBRARY = new URL('../../target/llama/node_modules/node-llama-cpp/dist/index.js', import.meta.url);

/**
 * @param {string} file
 * @param {{ threads: number, form: 'prefill' | 'rerank', longest: number }} options
 * @returns {Promise<import('./contender.mjs').Contender>}
 */
export async function llama(file, options) {
  await ensureLlama();
  const child = fork(fileURLToPath(import.meta.url), [file, JSON.stringify(options)]);
  /** @returns {Promise<any>} */
  const reply = async () => {
    const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`llama.cpp's process ended with ${code}`)));
    const [message] = await Promise.race([once(child, 'message'), failed]);
    return message;
  };
  const ask = (/** @type {Request} */ request) => {
    child.send(request);
    return reply();
  };
  const { loadSeconds } = await reply();
  return {
    loadSeconds,
    prefill: ask,
    rerank: ask,
    peakBytes: async () => peakOf(child.pid ?? 0),
    close: async () => {
      if (child.connected) child.disconnect();
      await ended(child);
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const [file = '', options = ''] = process.argv.slice(2);
  await answerRequests(file, JSON.parse(options));
}

/**
 * In the child: answers requests until the parent leaves.
 * @param {string} file
 * @param {{ threads: number, form: 'prefill' | 'rerank', longest: number }} options
 */
async function answerRequests(file, { threads, form, longest }) {
  const send = (/** @type {object} */ message) => process.send?.(message);
  const started = performance.now();
  const { getLlama } = await import(LIBRARY.href);
  // build: "never", so that nothing is compiled or downloaded where no prebuilt library fits.
  const engine = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: threads });
  const model = await engine.loadModel({ modelPath: file });
  const size = { contextSize: longest + 8, batchSize: longest + 8, threads };
  const answer = form === 'prefill' ? await reader(model, size) : await ranker(model, size);
  send({ loadSeconds: (performance.now() - started) / 1000 });
  process.on('message', async (/** @type {Request} */ request) => {
    const started = performance.now();
    const scores = await answer(request);
    send({ seconds: (performance.now() - started) / 1000, scores });
  });
  process.on('disconnect', () => process.exit());
}

/**
 * Reads the one prompt of a request.
 * @param {any} model
 * @param {object} size
 */
async function reader(model, size) {
  const context = await model.createContext(size);
  const sequence = context.getSequence();
  return async (/** @type {Request} */ { prompts }) => {
    await sequence.clearHistory();
    await sequence.evaluateWithoutGeneratingNewTokens(model.tokenize(prompts[0], true));
    return [];
  };
}

/**
 * Scores the prompts of a request.
 * @param {any} model
 * @param {object} size
 */
async function ranker(model, size) {
  // The library tokenizes template, query and document separately, which gives other ids. With a template of
  // only query and document, and the prompt's last id as the document, it gets exactly the prompt's ids.
  const context = await model.createRankingContext({ ...size, template: '{{query}}{{document}}' });
  return async (/** @type {Request} */ { prompts }) => {
    const scores = [];
    for (const prompt of prompts) {
      const ids = model.tokenize(prompt, true);
      scores.push(await context.rank(ids.slice(0, -1), ids.slice(-1)));
    }
    return scores;
  };
}
