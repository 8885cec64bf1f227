/**
 * Qwen3-Reranker in the browser: load a GGUF model, and order documents by how
 * well they answer a query. All computation runs in a worker of this package.
 */
import { Client } from './client.js';
import {
  type LoadOptions, type RerankOptions, type ScoreOptions, type Source,
  checkLoadOptions, checkRerankOptions, modelSources, plainRequest,
} from './options.js';
import { type Plan, makePlan } from './plan.js';
import type { Diagnostics, ModelInfo, ModelSource, Ranking, RerankRequest, RerankResponse, Warning } from './protocol.js';

export { type ErrorKind, RerankError } from './errors.js';
export type { LoadOptions, ModelFile, RerankOptions, ScoreOptions, Source } from './options.js';
export type { Build } from './plan.js';
export type {
  Diagnostics, LoadProgress, ModelInfo, RerankProgress, RerankRequest, RerankResponse, Warning,
} from './protocol.js';

/**
 * The small English model of this package, for `load`: a file of its own (11.8 MB), fetched
 * only by those who load it. Bundlers look for exactly this expression.
 */
export const defaultModel = new URL('../models/qwen3-rerank-nano-q8_0.gguf', import.meta.url);

/** A loaded model in a worker of its own. */
export class Reranker {
  readonly #client: Client;
  readonly #warn: (warning: Warning) => void;
  /** Facts about the model. */
  readonly info: ModelInfo;

  private constructor(client: Client, info: ModelInfo, warn: (warning: Warning) => void) {
    this.#client = client;
    this.#warn = warn;
    this.info = info;
    for (const message of info.warnings) warn({ kind: 'model', message });
  }

  /**
   * Loads a model; a split one from an array of all its files. Rejects with a `RerankError`, or as `fetch` does when
   * `options.signal` aborts; nothing of the model stays in memory then.
   */
  static async load(source: Source, options: LoadOptions = {}): Promise<Reranker> {
    checkLoadOptions(options);
    const plan = makePlan(options);
    const files = modelSources(source, options.headers);
    options.signal?.throwIfAborted();
    return Reranker.#load(files, options, plan);
  }

  static async #load(sources: ModelSource[], options: LoadOptions, plan: Plan): Promise<Reranker> {
    const { name, maxLength, anyPooling, signal, onProgress, onWarning } = options;
    const body = {
      sources,
      threads: plan.threads,
      ...(name === undefined ? {} : { name }),
      ...(maxLength === undefined ? {} : { maxLength }),
      ...(anyPooling === undefined ? {} : { anyPooling }),
    };
    const client = new Client(plan);
    try {
      const info = await client.call('load', body, { signal, onProgress });
      return new Reranker(client, info, onWarning ?? warnOnConsole);
    } catch (error) {
      client.end({ kind: 'disposed', message: 'the model was not loaded' });
      if (client.threadless === undefined) throw error;
    }
    const threads_reason = `the threads could not be started: ${client.threadless}`;
    return Reranker.#load(sources, options, { ...plan, threads: 1, threads_reason });
  }

  /** Orders documents, best first, in the documented form `{model, query, results}`. */
  async rerank(request: RerankRequest, options: RerankOptions = {}): Promise<RerankResponse> {
    return (await this.#rank(request, options)).answer;
  }

  /** Scores of `documents` for `query`, 0 to 1, in the order of `documents`. */
  async score(
    query: string, documents: RerankRequest['documents'], options: ScoreOptions = {},
  ): Promise<number[]> {
    const { signal: _signal, onProgress: _onProgress, ...fields } = options;
    // Every document has a score, whichever name a caller gives the limit.
    const request = { ...fields, query, documents, top_n: null, top_k: null };
    const { answer, order } = await this.#rank(request, options);
    const scores: number[] = [];
    for (const [rank, { score }] of answer.results.entries()) scores[order[rank] ?? Number.NaN] = score;
    return scores;
  }

  /** How this model computes: build, threads, instructions and memory. Answered at once, during a request too. */
  async diagnostics(): Promise<Diagnostics> {
    const { build, threads_reason } = this.#client.plan;
    const found = await this.#client.call('diagnostics', {});
    return { build, ...found, ...(threads_reason === undefined ? {} : { threads_reason }) };
  }

  /** Ends the workers and frees their memory. Pending calls reject with kind `disposed`. */
  dispose(): void {
    this.#client.end({ kind: 'disposed', message: 'the reranker was disposed' });
  }

  async #rank(request: RerankRequest, options: RerankOptions): Promise<Ranking> {
    checkRerankOptions(options);
    const body = { request: plainRequest(request) };
    const { signal, onProgress } = options;
    const ranking = await this.#client.call('rerank', body, { signal, onProgress });
    for (const warning of ranking.warnings) this.#warn(warning);
    return ranking;
  }
}

function warnOnConsole(warning: Warning): void {
  console.warn(`qwen3-rerank: ${warning.message}`);
}
