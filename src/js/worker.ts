/**
 * The worker: holds one model, and answers its requests one after another.
 * Between two steps of a request it looks at its messages, so that an abort
 * gets through in mid-document. The same script is the worker of each further thread.
 */
import { download } from './download.js';
import { type ErrorFacts, type ErrorKind, messageOf } from './errors.js';
import type { LoadProgress, RerankProgress, Reply, Request, Shared, ThreadReply } from './protocol.js';

/** @internal What is used of a build's bindings. */
export type Bindings =
  & Pick<typeof import('./builds/simd128/qwen3_rerank.js'), 'Engine' | 'panicMessage'>
  & { default(): Promise<unknown> };

/** @internal What a build for several threads has besides. */
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

/** Milliseconds between two looks at the messages, and between two reports. */
const BREATH = 50;

const scope = self as unknown as Scope;
const aborts = new Map<number, AbortController>();
let bindings: Bindings;
let pool: ThreadBindings | undefined;
let takeSeats: (() => void) | undefined;
let engine: Engine | undefined;
let queue: Promise<void> = Promise.resolve();

/** @internal Makes this worker one of the build with these bindings. */
export function serve(build: Bindings, threads?: ThreadBindings): void {
  bindings = build;
  pool = threads;
  scope.onmessage = ({ data }) => receive(data);
}

function receive(request: Request): void {
  if (request.type === 'abort') aborts.get(request.id)?.abort();
  else if (request.type === 'thread') runThread(request.shared);
  else if (request.type === 'seat') takeSeats?.();
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

async function load({ id, source, threads, name, maxLength }: Load, signal: AbortSignal) {
  const report = reporter<LoadProgress>(id);
  const fetched = source instanceof Blob ? source : download({
    ...source,
    signal,
    onProgress: (loaded, total) => report({ phase: 'download', loaded, total }, loaded === total),
  });
  // The file and the module come over the network side by side.
  const [model] = await Promise.all([fetched, instantiate(threads)]);
  const onProgress = (loaded: number, total: number) =>
    report({ phase: 'load', loaded, total }, loaded === total);
  engine = new bindings.Engine([model], name, maxLength, onProgress);
  return engine.info;
}

async function instantiate(threads: number): Promise<void> {
  try {
    await bindings.default();
  } catch (thrown) {
    throw facts('crashed', `the WebAssembly module could not be loaded: ${messageOf(thrown)}`);
  }
  if (threads > 1 && pool) await startThreads(pool, threads);
}

/** Has the page start the other threads. Once they wait, this one blocks until they have taken their seats. */
async function startThreads(pool: ThreadBindings, threads: number): Promise<void> {
  const waiting = new Promise<void>((resolve) => (takeSeats = resolve));
  scope.postMessage({ type: 'share', shared: { module: pool.sharedModule(), memory: pool.sharedMemory() } });
  await waiting;
  pool.startThreads(threads);
  scope.postMessage({ type: 'seated' });
}

/** Spends this worker as a thread on shared memory. */
function runThread(shared: Shared): void {
  try {
    if (!pool) throw new Error('this build has one thread');
    pool.initSync(shared);
    scope.postMessage({ type: 'waiting' });
    pool.runThread();
  } catch (thrown) {
    scope.postMessage({ type: 'stopped', reason: panicMessage() ?? messageOf(thrown) });
  }
}

/** Answers at once, whatever waits. */
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
  const report = reporter<RerankProgress>(id);
  const job = engine.start(request);
  try {
    let rested = performance.now();
    for (let done = job.step(); done; done = job.step()) {
      report(done, done.documents === done.total);
      if (performance.now() - rested < BREATH) continue;
      await breathe();
      signal.throwIfAborted();
      rested = performance.now();
    }
  } catch (thrown) {
    // After a crash nothing of the module may be called any more.
    if (factsOf(thrown).kind !== 'crashed' || signal.aborted) job.free();
    throw thrown;
  }
  return job.finish();
}

/** Lets waiting messages in. A timer would be slowed down in a background tab. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Posts reports, but no more often than a page can show them. */
function reporter<R extends LoadProgress | RerankProgress>(id: number) {
  let posted = Number.NEGATIVE_INFINITY;
  return (report: R, last: boolean) => {
    const now = performance.now();
    if (!last && now - posted < BREATH) return;
    posted = now;
    scope.postMessage({ type: 'report', id, report });
  };
}

function facts(kind: ErrorKind, message: string): ErrorFacts {
  return { kind, message };
}

/** Errors of the core and of the download carry a kind. Anything else is a crash: a panic, or no memory. */
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
    // The module did not come to life at all.
    return undefined;
  }
}
