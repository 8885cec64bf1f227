/**
 * The worker: holds one model, and answers its requests one after another. Between two
 * steps of a request it lets messages in, so that an abort takes effect within a
 * document. The same script is the worker of each further thread.
 */
import { download } from './download.js';
import { type ErrorFacts, type ErrorKind, messageOf } from './errors.js';
import { ProgressReporter } from './progress.js';
import type { LoadProgress, ModelSource, ProgressOf, Reply, Request, RerankProgress, Shared, ThreadReply } from './protocol.js';

/** @internal The bindings of any build, as far as used here. */
export type Bindings =
  & Pick<typeof import('./builds/simd128/qwen3_rerank.js'), 'Engine' | 'panicMessage'>
  & { default(): Promise<unknown> };

/** @internal Further bindings of a build for several threads. */
export type ThreadBindings = Pick<
  typeof import('./builds/simd128-threads/qwen3_rerank.js'),
  'initSync' | 'runThread' | 'sharedMemory' | 'sharedModule' | 'startThreads'
>;

type Engine = InstanceType<Bindings['Engine']>;
type Load = Extract<Request, { type: 'load' }>;
type Rerank = Extract<Request, { type: 'rerank' }>;

/** The part of a worker's scope used here; the DOM's types describe a window's. */
interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Reply | ThreadReply): void;
}

/** Milliseconds that a request computes before it lets waiting messages in. */
const YIELD_INTERVAL = 50;

const scope = self as unknown as Scope;
const aborts = new Map<number, AbortController>();
let bindings: Bindings;
let pool: ThreadBindings | undefined;
/** Called when the workers of all other threads are ready. */
let threadsReady: (() => void) | undefined;
let engine: Engine | undefined;
let queue: Promise<void> = Promise.resolve();

/** @internal Makes this worker one of the build with these bindings. */
export function serve(build: Bindings, threads?: ThreadBindings): void {
  bindings = build;
  pool = threads;
  scope.onmessage = ({ data }) => receive(data);
  scope.postMessage({ type: 'started' });
}

function receive(request: Request): void {
  if (request.type === 'abort') aborts.get(request.id)?.abort();
  else if (request.type === 'thread') runThread(request.shared);
  else if (request.type === 'threads_ready') threadsReady?.();
  else if (request.type === 'diagnostics') diagnose(request.id);
  else {
    const abort = new AbortController();
    aborts.set(request.id, abort);
    queue = queue.then(() => answer(request, abort.signal));
  }
}

/** Posts exactly one answer. */
async function answer(request: Load | Rerank, signal: AbortSignal): Promise<void> {
  const { id } = request;
  try {
    signal.throwIfAborted();
    const result = request.type === 'load' ? await load(request, signal) : await rerank(request, signal);
    scope.postMessage({ type: 'result', id, result });
  } catch (thrown) {
    scope.postMessage(signal.aborted ? { type: 'aborted', id } : { type: 'failure', id, error: factsOf(thrown) });
  } finally {
    aborts.delete(id);
  }
}

async function load({ id, sources, threads, name, maxLength, anyPooling }: Load, signal: AbortSignal) {
  // The files and the module are downloaded side by side.
  const [files] = await Promise.all([fetchFiles(id, sources, signal), instantiate(threads)]);
  const progress = reporter<LoadProgress>(id);
  const onProgress = (loaded: number, total: number) => progress.report({ phase: 'load', loaded, total });
  engine = new bindings.Engine(files, name, maxLength, onProgress, anyPooling);
  progress.finish();
  return engine.info;
}

/** Downloads the files that are not there yet. Where one fails, the others stop. */
async function fetchFiles(id: number, sources: ModelSource[], signal: AbortSignal): Promise<Blob[]> {
  if (sources.every((source) => source instanceof Blob)) return sources;
  const progress = reporter<LoadProgress>(id);
  const failed = new AbortController();
  const files: { loaded: number; total: number | null }[] = [];
  const report = () => {
    const sum = (key: 'loaded' | 'total') => files.reduce((bytes, file) => bytes + (file[key] ?? Number.NaN), 0);
    const total = sum('total');
    progress.report({ phase: 'download', loaded: sum('loaded'), total: Number.isNaN(total) ? null : total });
  };
  const fetchFile = (source: ModelSource) => {
    if (source instanceof Blob) return source;
    const file: { loaded: number; total: number | null } = { loaded: 0, total: null };
    files.push(file);
    const onProgress = (loaded: number, total: number | null) => {
      Object.assign(file, { loaded, total });
      report();
    };
    return download({ ...source, signal: AbortSignal.any([signal, failed.signal]), onProgress });
  };
  try {
    const blobs = await Promise.all(sources.map(fetchFile));
    progress.finish();
    return blobs;
  } catch (thrown) {
    failed.abort();
    throw signal.aborted ? signal.reason : thrown;
  }
}

async function instantiate(threads: number): Promise<void> {
  try {
    await bindings.default();
  } catch (thrown) {
    throw facts('crashed', `the WebAssembly module could not be loaded: ${messageOf(thrown)}`);
  }
  if (threads > 1 && pool) await startThreads(pool, threads);
}

/** Has the page start the other threads' workers. Once they are ready, this thread blocks until all have joined the pool. */
async function startThreads(pool: ThreadBindings, threads: number): Promise<void> {
  const ready = new Promise<void>((resolve) => (threadsReady = resolve));
  scope.postMessage({ type: 'share', shared: { module: pool.sharedModule(), memory: pool.sharedMemory() } });
  await ready;
  pool.startThreads(threads);
  scope.postMessage({ type: 'pool_ready' });
}

/** Makes this worker a thread of the pool on shared memory, for the rest of its life. */
function runThread(shared: Shared): void {
  try {
    if (!pool) throw new Error('this build has one thread');
    pool.initSync(shared);
    scope.postMessage({ type: 'ready' });
    pool.runThread();
  } catch (thrown) {
    scope.postMessage({ type: 'stopped', reason: panicMessage() ?? messageOf(thrown) });
  }
}

/** Answers at once, even while other requests are queued. */
function diagnose(id: number): void {
  try {
    if (!engine) throw facts('internal', 'no model is loaded');
    scope.postMessage({ type: 'result', id, result: engine.diagnostics() });
  } catch (thrown) {
    scope.postMessage({ type: 'failure', id, error: factsOf(thrown) });
  }
}

async function rerank({ id, request }: Rerank, signal: AbortSignal) {
  if (!engine) throw facts('internal', 'no model is loaded');
  const progress = reporter<RerankProgress>(id);
  const job = engine.start(request);
  try {
    let lastYield = performance.now();
    for (let done = job.step(); done; done = job.step()) {
      progress.report(done);
      if (!job.waiting && performance.now() - lastYield < YIELD_INTERVAL) continue;
      await yieldToMessages();
      signal.throwIfAborted();
      lastYield = performance.now();
    }
  } catch (thrown) {
    // After a crash nothing of the module may be called any more.
    if (factsOf(thrown).kind !== 'crashed' || signal.aborted) job.free();
    throw thrown;
  }
  progress.finish();
  return job.finish();
}

/** Lets waiting messages be received. A timer would be slowed down in a background tab. */
function yieldToMessages(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

function reporter<P extends ProgressOf[keyof ProgressOf]>(id: number): ProgressReporter<P> {
  return new ProgressReporter((progress) => scope.postMessage({ type: 'progress', id, progress }));
}

function facts(kind: ErrorKind, message: string): ErrorFacts {
  return { kind, message };
}

/** Errors of the core and of the download have a kind. Anything else is a crash: a panic, or out of memory. */
function factsOf(thrown: unknown): ErrorFacts {
  const { kind, field } = (thrown ?? {}) as Partial<ErrorFacts>;
  const message = messageOf((thrown as Partial<ErrorFacts>)?.message ?? thrown);
  if (kind) return field === undefined ? { kind, message } : { kind, message, field };
  return facts('crashed', `the engine stopped: ${panicMessage() ?? message}`);
}

function panicMessage(): string | undefined {
  try {
    return bindings.panicMessage();
  } catch {
    // The module was never instantiated.
    return undefined;
  }
}
