/** What callers may pass, checked, and turned into what the worker takes. */
import { RerankError } from './errors.js';
import { type Build, MAX_THREADS } from './plan.js';
import type { LoadProgress, ModelSource, RerankProgress, RerankRequest, Warning } from './protocol.js';

/** A model to load: an address, a file that the user picked, or bytes. */
export type Source = string | URL | Blob | ArrayBuffer | Uint8Array;

/** How to load a model. */
export interface LoadOptions {
  /** The model's name in answers; the file's own name for itself when left out. */
  name?: string;
  /** Longest prompt in tokens, frame included; 8192 when left out. */
  maxLength?: number;
  /** Sent with the download, such as an authorization. */
  headers?: HeadersInit;
  /**
   * Threads that compute, 1 to 32: the processors that the browser tells of, at most 8,
   * when left out. One where the page is not cross-origin isolated.
   */
  threads?: number;
  /** The build of the module, for tests and measurements; the best for this browser when left out. */
  build?: Build;
  /** Told how the download, then the load, goes on. */
  onProgress?: (progress: LoadProgress) => void;
  /** Told of what did not stop a call; `console.warn` when left out. */
  onWarning?: (warning: Warning) => void;
  /** Stops the load; the promise rejects as `fetch` does. */
  signal?: AbortSignal;
}

/** How to watch and stop a request. */
export interface RerankOptions {
  /** Told how many documents have a score. */
  onProgress?: (progress: RerankProgress) => void;
  /** Stops the computing; the promise rejects as `fetch` does. */
  signal?: AbortSignal;
}

/** What `score` takes besides query and documents. */
export type ScoreOptions = Omit<RerankRequest, 'query' | 'documents' | 'top_n' | 'model'> & RerankOptions;

/** The fields of a request that the worker gets; others may not be cloneable. */
const REQUEST_FIELDS = [
  'query', 'documents', 'top_n', 'instruction', 'max_tokens_per_doc',
  'truncate', 'control_tokens', 'templated', 'model',
] as const satisfies readonly (keyof RerankRequest)[];

/** The error of a wrong type. */
export function wrongShape(field: string, expected: string): RerankError {
  return new RerankError({ kind: 'invalid_shape', field, message: `${field}: must be ${expected}` });
}

function wrongValue(field: string, value: unknown, expected: string): RerankError {
  return new RerankError({ kind: 'invalid_value', field, message: `${field}: is ${value}; must be ${expected}` });
}

/** Checks load options; what the file decides is left to the worker. */
export function checkLoadOptions(options: LoadOptions): void {
  checkObject('options', options);
  checkType('name', options.name, 'string');
  checkType('onProgress', options.onProgress, 'function');
  checkType('onWarning', options.onWarning, 'function');
  checkSignal(options.signal);
  const length = options.maxLength;
  checkType('maxLength', length, 'number');
  if (length !== undefined && !(Number.isInteger(length) && length > 0 && length < 2 ** 32)) {
    throw wrongValue('maxLength', length, 'a whole number of at least 1');
  }
  const { threads, build } = options;
  checkType('threads', threads, 'number');
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0 && threads <= MAX_THREADS)) {
    throw wrongValue('threads', threads, `a whole number from 1 to ${MAX_THREADS}`);
  }
  checkType('build', build, 'string');
  if (build !== undefined && build !== 'simd128' && build !== 'relaxed') {
    throw wrongValue('build', build, 'simd128 or relaxed');
  }
}

/** Checks the options of a request. */
export function checkRerankOptions(options: RerankOptions): void {
  checkObject('options', options);
  checkType('onProgress', options.onProgress, 'function');
  checkSignal(options.signal);
}

/** The request's own fields, in a form that can be sent; their values are checked behind. */
export function wireRequest(request: RerankRequest): RerankRequest {
  checkObject('request', request);
  for (const field of ['top_n', 'max_tokens_per_doc'] as const) {
    const value = request[field];
    // JSON knows no such numbers, and would take them for left out.
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw wrongValue(field, value, 'a whole number of at least 1');
    }
  }
  const known = REQUEST_FIELDS.filter((field) => request[field] !== undefined);
  const wire = Object.fromEntries(known.map((field) => [field, plainValue(field, request[field])]));
  return wire as unknown as RerankRequest;
}

/** Most documents that a request may hold; the core says the same. */
const MAX_DOCUMENTS = 10_000;

/**
 * A field's value, if it holds no more than the core may safely be sent:
 * single values, and for documents texts or objects with a text.
 */
function plainValue(field: string, value: unknown): unknown {
  if (field !== 'documents') {
    if (typeof value === 'object' && value !== null) throw wrongShape(field, 'a single value');
    return value;
  }
  if (!Array.isArray(value)) throw wrongShape(field, 'an array of strings');
  if (value.length > MAX_DOCUMENTS) {
    const message = `documents: holds ${value.length}; at most ${MAX_DOCUMENTS}`;
    throw new RerankError({ kind: 'invalid_value', field, message });
  }
  return Array.from(value, (document: unknown, index) => {
    const text: unknown = typeof document === 'object' && document !== null && 'text' in document
      ? document.text : document;
    if (typeof text !== 'string') throw wrongShape(`documents[${index}]`, 'a string or {"text": string}');
    return text;
  });
}

/** Bytes that a Blob takes: of memory that threads share it takes none. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);
}

/** What the worker reads the model from. */
export function modelSource(source: Source, headers: HeadersInit | undefined): ModelSource {
  if (source instanceof Blob) return source;
  if (source instanceof ArrayBuffer) return new Blob([source]);
  if (source instanceof Uint8Array) return new Blob([ownBytes(source)]);
  if (typeof source !== 'string' && !(source instanceof URL)) {
    throw wrongShape('source', 'a URL, File, Blob, ArrayBuffer or Uint8Array');
  }
  const base = typeof document === 'undefined' ? location.href : document.baseURI;
  let url: URL;
  try {
    url = new URL(source, base);
  } catch {
    throw new RerankError({ kind: 'invalid_value', field: 'source', message: `source: ${source} is not a URL` });
  }
  try {
    return { url: url.href, headers: [...new Headers(headers)] };
  } catch {
    throw wrongShape('headers', 'valid HTTP headers');
  }
}

function checkObject(field: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw wrongShape(field, 'an object');
}

function checkType(field: string, value: unknown, type: 'string' | 'number' | 'function'): void {
  if (value !== undefined && typeof value !== type) throw wrongShape(field, `a ${type}`);
}

function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrongShape('signal', 'an AbortSignal');
}
