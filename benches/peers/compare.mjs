/** Two contenders in turn. */
import { median, spread, texts } from './work.mjs';

/**
 * @typedef {import('./contender.mjs').Contender} Contender
 * @typedef {import('./work.mjs').Request} Request
 *
 * One side of a row.
 * @typedef {object} Side
 * @property {string} name
 * @property {() => Promise<Contender>} open
 * @property {number} documents of a request; for prefill one
 *
 * What is compared. `bar` is the least ratio of speeds that this project wants; null where it wants none.
 * @typedef {object} Row
 * @property {string} name
 * @property {string} group
 * @property {'prefill' | 'rerank'} verb
 * @property {number} tokens
 * @property {Side} ours
 * @property {Side} peer
 * @property {number | null} bar
 * @property {number} [runs] the most, where one takes minutes
 */

/**
 * @param {string} file the model
 * @param {Row} row
 * @param {number} runs
 */
export async function compare(file, row, runs) {
  const sides = [row.ours, row.peer].map((side) => new Runner(file, row, side, runs));
  const [ours, peer] = /** @type {[Runner, Runner]} */ (sides);
  try {
    for (const side of sides) await side.open();
    for (let run = 0; run < runs; run += 1) {
      for (const side of sides) await side.run(run);
    }
    const [mine, others] = [await ours.result(), await peer.result()];
    return {
      name: row.name,
      unit: row.verb === 'prefill' ? 'tokens/s' : 'documents/s',
      tokens: row.tokens,
      runs,
      ours: mine,
      peer: others,
      ratio: mine.median / others.median,
      bar: row.bar,
      difference: difference(ours.scores, peer.scores),
    };
  } finally {
    await Promise.allSettled(sides.map((side) => side.close()));
  }
}

/** One side of a row while it is measured. */
class Runner {
  /** @type {Contender | undefined} */
  #contender;
  /** @type {Request[]} */
  #work;
  /** @type {number[]} By run: tokens or documents a second. */
  #rates = [];
  /** @type {number[][]} By run: scores, in the order of the documents. */
  scores = [];

  /**
   * @param {string} file
   * @param {Row} row
   * @param {Side} side
   * @param {number} runs
   */
  constructor(file, row, side, runs) {
    this.row = row;
    this.side = side;
    // One more, to warm up with.
    const { prompts, requests } = texts(file, { tokens: row.tokens, documents: side.documents, runs: runs + 1 });
    this.#work = row.verb === 'prefill' ? prompts : requests;
  }

  async open() {
    this.#contender = await this.side.open();
    const last = this.#work.at(-1);
    if (last) await this.#contender[this.row.verb](firstOnly(last));
  }

  /** @param {number} run */
  async run(run) {
    const request = this.#work[run];
    if (!this.#contender || !request) throw new Error('it is not open');
    const { seconds, scores = [] } = await this.#contender[this.row.verb](request);
    const amount = this.row.verb === 'prefill' ? this.row.tokens : request.documents.length;
    this.#rates.push(amount / seconds);
    this.scores.push(scores);
    console.log(`  ${this.side.name}: ${(amount / seconds).toPrecision(4)}`);
  }

  async result() {
    const peak = await this.#contender?.peakBytes();
    return {
      name: this.side.name, median: median(this.#rates), spread: spread(this.#rates),
      load_seconds: this.#contender?.loadSeconds ?? null, peak_bytes: peak ?? null,
      details: (await this.#contender?.details?.()) ?? {},
    };
  }

  async close() {
    await this.#contender?.close();
  }
}

/** @param {Request} request */
function firstOnly(request) {
  const { documents, prompts, ids } = request;
  return { ...request, documents: documents.slice(0, 1), prompts: prompts.slice(0, 1), ids: ids.slice(0, 1) };
}

/**
 * Root mean square of the differences of margins; null where the two have not scored the same.
 * @param {number[][]} a
 * @param {number[][]} b
 */
function difference(a, b) {
  const [left, right] = [a.flat(), b.flat()];
  if (left.length === 0 || left.length !== right.length) return null;
  const margin = (/** @type {number} */ score) => Math.log(score / (1 - score));
  return Math.hypot(...left.map((score, index) => margin(score) - margin(right[index] ?? NaN))) / Math.sqrt(left.length);
}
