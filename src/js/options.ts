/** The options and requests of callers: checked, and converted to what the worker takes. */
import { RerankError } from './errors.js';
import { type Build, MAX_THREADS } from './plan.js';
import type { LoadProgress, ModelSource, RerankProgress, RerankRequest, Warning } from './protocol.js';

/** One file of a model: an address, a file that the user picked, or bytes. */
export type ModelFile = string | URL | Blob | ArrayBuffer | Uint8Array;

/** A model to load: its file, or all files of a split model in any order. */
export type Source = ModelFile | readonly ModelFile[];

/** How to load a model. */
export interface LoadOptions {
  /** The model's name in answers; the file's own name for itself when left out. */
  name?: string;
  /** Longest prompt in tokens, template included; 8192 when left out. */
  maxLength?: number;
  /** Sent with each download, such as an authorization. */
  headers?: HeadersInit;
  /** Takes a file that says it is an embedding model, which is refused otherwise. */
  anyPooling?: boolean;
  /**
   * Threads that compute, 1 to 32. When left out: `navigator.hardwareConcurrency`, at most 8.
   * One where the page is not cross-origin isolated.
   */
  threads?: number;
  /** The build of the module, for tests and measurements; the best for this browser when left out. */
  build?: Build;
  /** Called with the progress of the download, then of the load. */
  onProgress?: (progress: LoadProgress) => void;
  /** Called with each warning; `console.warn` when left out. */
  onWarning?: (warning: Warning) => void;
  /** Stops the load; the promise rejects as `fetch` does. */
  signal?: AbortSignal;
}

/** How to watch and stop a request. */
export interface RerankOptions {
  /** Called with the number of documents that have a score. */
  onProgress?: (progress: RerankProgress) => void;
  /** Stops the computing; the promise rejects as `fetch` does. */
  signal?: AbortSignal;
}

/** Options of `score`: the request's other fields, and how to watch and stop it. */
export type ScoreOptions = Omit<RerankRequest, 'query' | 'documents' | 'top_n' | 'model'> & RerankOptions;

/** The fields of a request, which may also be getters of a class. */
const REQUEST_FIELDS = [
  'query', 'documents', 'rank_fields', 'top_n', 'instruction', 'max_tokens_per_doc',
  'truncate', 'control_tokens', 'templated', 'model',
] as const satisfies readonly (keyof RerankRequest)[];

/** The error of a wrong type. */
export function wrongShape(field: string, expected: string): RerankError {
  return new RerankError({ kind: 'invalid_shape', field, message: `${field}: must be ${expected}` });
}

function wrongValue(field: string, value: unknown, expected: string): RerankError {
  return new RerankError({ kind: 'invalid_value', field, message: `${field}: is ${value}; must be ${expected}` });
}

/** Checks load options, as far as that is possible without the file. */
export function checkLoadOptions(options: LoadOptions): void {
  checkObject('options', options);
  checkType('name', options.name, 'string');
  checkType('anyPooling', options.anyPooling, 'boolean');
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

/**
 * A request in a form that can be posted to the worker: nothing deep or circular. The core checks
 * its values, and warns of fields that it does not use.
 */
export function plainRequest(request: RerankRequest): RerankRequest {
  checkObject('request', request);
  for (const field of ['top_n', 'max_tokens_per_doc'] as const) {
    const value = request[field];
    // JSON has no such numbers: the core would take them as left out.
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw wrongValue(field, value, 'a whole number of at least 1');
    }
  }
  const plain: Record<string, unknown> = plainFields('request', request);
  for (const field of REQUEST_FIELDS) {
    if (request[field] !== undefined) plain[field] = plainValue(field, request[field], request.rank_fields);
  }
  return plain as unknown as RerankRequest;
}

/** Most documents that a request may hold; the core has the same limit. */
const MAX_DOCUMENTS = 10_000;

/** Own fields as JSON has them: the core reads, refuses or warns of each. `documents` has a check of its own. */
function plainFields(place: string, object: object): Record<string, unknown> {
  const fields = Object.entries(object).filter(([key]) => place !== 'request' || key !== 'documents');
  return Object.fromEntries(fields.flatMap(([key, value]) => {
    if (typeof value !== 'object' || value === null) return isJson(value) ? [[key, value]] : [];
    try {
      const text: string | undefined = JSON.stringify(value);
      return text === undefined ? [] : [[key, JSON.parse(text)]];
    } catch {
      throw wrongShape(place === 'request' ? key : `${place}.${key}`, 'a value that JSON can hold');
    }
  }));
}

/** Whether JSON has such single values: it has no functions, symbols, bigints or undefined. */
function isJson(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** A known field's value, if its shape is allowed. */
function plainValue(field: string, value: unknown, rankFields: unknown): unknown {
  if (field === 'documents') return plainDocuments(value, rankFields);
  if (field === 'rank_fields' && Array.isArray(value) && value.every((name) => typeof name === 'string')) return [...value];
  if (typeof value === 'object' && value !== null) {
    throw wrongShape(field, field === 'rank_fields' ? 'an array of strings' : 'a single value');
  }
  return value;
}

function plainDocuments(value: unknown, rankFields: unknown): (string | object)[] {
  if (!Array.isArray(value)) throw wrongShape('documents', 'an array of strings');
  if (value.length > MAX_DOCUMENTS) {
    const message = `documents: holds ${value.length}; at most ${MAX_DOCUMENTS}`;
    throw new RerankError({ kind: 'invalid_value', field: 'documents', message });
  }
  const isRanked = Array.isArray(rankFields) && rankFields.length > 0;
  return Array.from(value, (document: unknown, index) => {
    if (typeof document === 'string') return document;
    const isObject = typeof document === 'object' && document !== null && !Array.isArray(document);
    if (isObject && isRanked) return plainFields(`documents[${index}]`, document);
    const text: unknown = isObject && 'text' in document ? document.text : undefined;
    if (!isObject || typeof text !== 'string') throw wrongShape(`documents[${index}]`, 'a string or {"text": string}');
    return { ...plainFields(`documents[${index}]`, document), text };
  });
}

/** Bytes that a Blob accepts: it accepts no shared memory, so that is copied. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);
}

/** Most files of a split model; the core has the same limit. */
const MAX_FILES = 1_000;

/** The files of a model in a form that can be posted to the worker. */
export function modelSources(source: Source, headers: HeadersInit | undefined): ModelSource[] {
  if (!Array.isArray(source)) return [modelSource(source as ModelFile, headers)];
  if (source.length === 0 || source.length > MAX_FILES) {
    throw wrongValue('source', `${source.length} files`, `from 1 to ${MAX_FILES}`);
  }
  return Array.from(source as readonly ModelFile[], (file) => modelSource(file, headers));
}

function modelSource(source: ModelFile, headers: HeadersInit | undefined): ModelSource {
  if (source instanceof Blob) return source;
  if (source instanceof ArrayBuffer) return new Blob([source]);
  if (source instanceof Uint8Array) return new Blob([ownBytes(source)]);
  if (typeof source !== 'string' && !(source instanceof URL)) {
    throw wrongShape('source', 'a URL, File, Blob, ArrayBuffer or Uint8Array, or an array of them');
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

function checkType(field: string, value: unknown, type: 'string' | 'number' | 'boolean' | 'function'): void {
  if (value !== undefined && typeof value !== type) throw wrongShape(field, `a ${type}`);
}

function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrongShape('signal', 'an AbortSignal');
}
