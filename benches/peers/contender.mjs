/** The interface of everything that is measured, and this project behind it: natively and in Chromium. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { ROOT } from '../../scripts/run.mjs';
import { openInChromium, peakOf } from './chromium.mjs';
import { PROGRAM } from './work.mjs';

/**
 * @typedef {import('./work.mjs').Request} Request
 *
 * How long a request took, and the scores of its documents, where there are any.
 * @typedef {{ seconds: number, scores?: number[] }} Timing
 *
 * A loaded model.
 * @typedef {object} Contender
 * @property {number} loadSeconds
 * @property {(request: Request) => Promise<Timing>} prefill computes as many tokens as the only prompt of a request has
 * @property {(request: Request) => Promise<Timing>} rerank scores all documents of a request
 * @property {() => Promise<Record<string, unknown>>} [details] other facts about it, such as its build
 * @property {() => Promise<number | null>} peakBytes greatest memory of its process; null where the system does not report it
 * @property {() => Promise<void>} close
 */

/**
 * Waits until a process has ended.
 * @param {import('node:child_process').ChildProcess} child
 */
export async function ended(child) {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/**
 * This project's package in Chromium.
 * @param {string} file
 * @param {{ threads?: number, build?: string }} options
 */
export function oursInChromium(file, options) {
  return openInChromium('ours', file, options);
}

/**
 * This project's server.
 * @param {string} file
 * @param {{ threads: number }} options
 * @returns {Promise<Contender>}
 */
export async function oursNatively(file, { threads }) {
  const started = performance.now();
  const server = spawn(PROGRAM, ['serve', '--model', file, '--threads', String(threads), '--port', '0'], {
    cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { value: line = '' } = await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
  const address = String(line).match(/http:\/\/\S+/)?.[0];
  if (!address) throw new Error(`the server did not start: ${line}`);
  const loadSeconds = (performance.now() - started) / 1000;
  /** @param {Request} request @param {string[]} documents @returns {Promise<Timing>} */
  const score = async ({ instruction, query }, documents) => {
    const started = performance.now();
    const { results } = await post(`${address}/v1/rerank`, { instruction, query, documents, return_documents: false });
    return { seconds: (performance.now() - started) / 1000, scores: byIndex(results) };
  };
  return {
    loadSeconds,
    prefill: async (prompt) => {
      // Caches the shared prefix, so that the measured request is one pass of exactly `tokens` tokens.
      await score(prompt, ['']);
      return score(prompt, [prompt.own ?? '']);
    },
    rerank: (whole) => score(whole, whole.documents),
    peakBytes: async () => peakOf(server.pid ?? 0),
    close: async () => {
      server.kill();
      await ended(server);
    },
  };
}

/**
 * Posts JSON. Not by `fetch`, which times out after five minutes.
 * @param {string} address
 * @param {object} body
 * @returns {Promise<any>}
 */
async function post(address, body) {
  const call = request(address, { method: 'POST', headers: { 'Content-Type': 'application/json' } });
  call.end(JSON.stringify(body));
  const [response] = await once(call, 'response');
  const answer = await text(response);
  if (response.statusCode !== 200) throw new Error(answer);
  return JSON.parse(answer);
}

/** @param {{ index: number, relevance_score: number }[]} results */
function byIndex(results) {
  return [...results].sort((a, b) => a.index - b.index).map((result) => result.relevance_score);
}
