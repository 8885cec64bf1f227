/**
 * The messages between the page and its workers: types only. Every `Request`
 * with an id, except `abort`, gets exactly one `result`, `failure` or `aborted` with
 * its id, and any number of `progress` messages before that. Every worker posts `started`
 * when its scripts have been loaded.
 *
 * A load on several threads has messages of its own: the worker that holds the model
 * sends `share`; the page starts a worker for each further thread and sends it
 * `thread`; each answers `ready`; the page then sends `threads_ready` to the first
 * worker, which answers `pool_ready` once all threads run in its pool.
 */
import type { ErrorFacts } from './errors.js';
import type { Build } from './plan.js';

/** A rerank request, with the keys of the HTTP API. */
export interface RerankRequest {
  /** The question to answer. Not blank. */
  query: string;
  /** Texts to order; with `rank_fields` also objects without `text`. */
  documents: readonly (string | { text: string } | Readonly<Record<string, unknown>>)[];
  /** Fields of the documents to score, in this order, instead of `text`. */
  rank_fields?: readonly string[] | null;
  /** How many results to return, best first; all of them when left out. */
  top_n?: number | null;
  /** The task, as written into the prompt. */
  instruction?: string | null;
  /** Cut each document to at most this many tokens. */
  max_tokens_per_doc?: number | null;
  /** Cut documents that are too long (`true`, the default), or refuse the request. */
  truncate?: boolean | null;
  /** Read control tokens such as `<|im_end|>` in the texts as such; off by default. */
  control_tokens?: boolean | null;
  /** The texts already carry the prompt template. */
  templated?: boolean | null;
  /** A name for the model: any is taken, and the answer names the model that scored. */
  model?: string | null;
  /** Scores are margins, logit(yes) − logit(no), instead of probabilities. */
  raw_scores?: boolean | null;
  /** Its `instruction` is the instruction, as in vLLM. */
  chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
}

/** The documented answer. */
export interface RerankResponse {
  model: string;
  query: string;
  /** Best first; `score` is the probability of relevance, 0 to 1. */
  results: { document: string; score: number }[];
}

/** How rotary frequencies are scaled, under the names of config.json. */
export type RopeScaling =
  | { rope_type: 'linear'; factor: number }
  | {
      rope_type: 'yarn';
      factor: number;
      original_max_position_embeddings: number;
      attention_factor: number;
      beta_fast: number;
      beta_slow: number;
    };

/** Facts about a loaded model, as `qwen3-rerank info --json` prints them. */
export interface ModelInfo {
  /** The model's name in answers. */
  name: string;
  /** Transformer layers. */
  num_hidden_layers: number;
  /** Values of a token between layers. */
  hidden_size: number;
  /** Values of a token inside the feed-forward part. */
  intermediate_size: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  head_dim: number;
  /** Longest sequence that the model was made for, in tokens. */
  max_position_embeddings: number;
  rope_theta: number;
  /** How the rotary frequencies are scaled for longer sequences, if they are. */
  rope_scaling?: RopeScaling;
  rms_norm_eps: number;
  /** Whether the output matrix is the embedding, or left out of the file. */
  tie_word_embeddings: boolean;
  /** Rows of the embedding. */
  vocabulary_size: number;
  /** Longest prompt that is scored whole, in tokens, template included. */
  max_length: number;
  /** The tensor that the rows for yes and no come from. */
  head: 'cls.output' | 'cls.output.one_row' | 'output' | 'token_embd';
  /** Number of tensors by type. */
  types: Record<string, number>;
  /** Values in all tensors. */
  parameters: number;
  /** Size of the file in bytes. */
  file_size: number;
  /** Faults of the file that were worked around. */
  warnings: string[];
}

/**
 * How far a load has come, in bytes. `total` is null while it is not known. The last of
 * each phase has `loaded === total`.
 */
export interface LoadProgress {
  phase: 'download' | 'load';
  loaded: number;
  total: number | null;
}

/** How far a request has come, in documents. The last has `documents === total`. */
export interface RerankProgress {
  documents: number;
  total: number;
}

/** Something that did not stop a call, but that its caller should know. */
export type Warning =
  | { kind: 'truncated'; index: number; tokens: number; message: string }
  | { kind: 'already_templated'; field: string; message: string }
  | { kind: 'unused'; field: string; advice: string; message: string }
  | { kind: 'model'; message: string };

/** How a loaded model computes, for bug reports and measurements. */
export interface Diagnostics {
  /** The build of the WebAssembly module: relaxed SIMD where the browser has it. */
  build: Build;
  /** Threads that compute. */
  threads: number;
  /** Why there is only one thread. */
  threads_reason?: string;
  /** The instructions that the matrix product was written for. */
  backend: string;
  /** How tensors are multiplied, by their type. */
  paths: Record<string, string>;
  /** The module's memory, which never shrinks: so the most that it ever took. */
  memory_bytes: number;
}

/** The part of the diagnostics that the module itself knows. */
export type ModuleDiagnostics = Pick<Diagnostics, 'backend' | 'threads' | 'paths' | 'memory_bytes'>;

/** A module and its memory, which several workers run on. */
export interface Shared {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

/** The result of a request. `order[i]` is the index in the request's documents of `results[i]`. */
export interface Ranking {
  answer: RerankResponse;
  order: number[];
  warnings: Warning[];
}

/** Where the worker reads a file of the model from: the file itself, or its address. */
export type ModelSource = Blob | { url: string; headers: [string, string][] };

/** Page to worker. */
export type Request =
  | {
      type: 'load'; id: number; sources: ModelSource[]; threads: number;
      name?: string; maxLength?: number; anyPooling?: boolean;
    }
  | { type: 'rerank'; id: number; request: RerankRequest }
  | { type: 'diagnostics'; id: number }
  | { type: 'abort'; id: number }
  | { type: 'thread'; shared: Shared }
  | { type: 'threads_ready' };

/** The result of each request. */
export interface Results {
  load: ModelInfo;
  rerank: Ranking;
  diagnostics: ModuleDiagnostics;
}

/** The progress of each request. */
export interface ProgressOf {
  load: LoadProgress;
  rerank: RerankProgress;
  diagnostics: never;
}

/** Worker to page. */
export type Reply =
  | { type: 'result'; id: number; result: Results[keyof Results] }
  | { type: 'failure'; id: number; error: ErrorFacts }
  | { type: 'aborted'; id: number }
  | { type: 'progress'; id: number; progress: ProgressOf[keyof ProgressOf] }
  | { type: 'started' }
  | { type: 'share'; shared: Shared }
  | { type: 'pool_ready' };

/** A thread's worker to page. */
export type ThreadReply =
  | { type: 'started' }
  | { type: 'ready' }
  | { type: 'stopped'; reason: string };
