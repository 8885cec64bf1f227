/**
 * The page's side of the worker: sends requests, and settles each exactly once,
 * whatever happens to the worker or its threads.
 */
import { type ErrorFacts, RerankError, messageOf } from './errors.js';
import { type Plan, startWorker } from './plan.js';
import type { ProgressOf, Reply, Request, Results, Shared } from './protocol.js';
import { Threads } from './threads.js';

/**
 * Milliseconds that the worker's scripts may take to load. A worker whose script cannot be loaded gets an error
 * event, but not in every case in Firefox: not if one of several imports fails while another is on its way.
 */
const START_TIMEOUT = 20_000;

/** Milliseconds that threads may take to start; after that the load goes on without them. */
const THREADS_TIMEOUT = 10_000;

type CallType = keyof Results;
type Body<T extends CallType> = Omit<Extract<Request, { type: T }>, 'type' | 'id'>;

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  progress(progress: unknown): void;
  signal: AbortSignal | undefined;
}

/** How a call may be watched and stopped. */
export interface CallOptions<T extends CallType> {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: ProgressOf[T]) => void) | undefined;
}

/** One worker, its threads, and the calls that it has not answered yet. */
export class Client {
  /** The build that was started, and its threads. */
  readonly plan: Plan;
  readonly #worker: Worker;
  readonly #threads = new Threads((reason) => this.#crash(`one of its threads: ${reason}`));
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: RerankError | undefined;
  /** Whether the pool of threads is not ready yet. */
  #starting: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Why the threads could not be started, if that ended this client. */
  threadless: string | undefined;

  constructor(plan: Plan) {
    this.plan = plan;
    this.#starting = plan.threads > 1;
    this.#worker = start(plan);
    const slow = () => this.#crash(`it did not start within ${START_TIMEOUT / 1000} s; are all its files served?`);
    this.#timer = setTimeout(slow, START_TIMEOUT);
    this.#worker.onmessage = (event: MessageEvent<Reply>) => this.#receive(event.data);
    this.#worker.onmessageerror = () => this.#crash('a message could not be read');
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#crash(event.message || 'it could not be started; are its files served, and does the page allow it?');
    };
  }

  /** Sends a request and waits for its answer. */
  call<T extends CallType>(type: T, body: Body<T>, options: CallOptions<T> = {}): Promise<Results[T]> {
    const { signal, onProgress } = options;
    if (this.#ended) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#settle(id)?.reject(signal?.reason);
        this.#worker.postMessage({ type: 'abort', id } satisfies Request);
      };
      const settled = (then: (value: never) => void) => (value: unknown) => {
        signal?.removeEventListener('abort', abort);
        then(value as never);
      };
      this.#pending.set(id, {
        resolve: settled(resolve),
        reject: settled(reject),
        progress: (progress) => onProgress?.(progress as ProgressOf[T]),
        signal,
      });
      signal?.addEventListener('abort', abort);
      try {
        this.#worker.postMessage({ type, id, ...body });
      } catch (thrown) {
        const message = `request: cannot be sent to the worker: ${messageOf(thrown)}`;
        this.#settle(id)?.reject(new RerankError({ kind: 'invalid_shape', field: 'request', message }));
      }
    });
  }

  /** Ends the worker, which frees its memory. Pending and later calls reject with `error`. */
  end(error: ErrorFacts): void {
    if (this.#ended) return;
    this.#ended = new RerankError(error);
    clearTimeout(this.#timer);
    this.#worker.terminate();
    this.#threads.end();
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(this.#ended);
  }

  #crash(reason: string): void {
    this.#fail({ kind: 'crashed', message: `the reranker's worker stopped: ${reason}` });
  }

  /** After a crash the worker can answer no request at all. */
  #fail(error: ErrorFacts): void {
    if (this.#ended) return;
    if (this.#starting) this.threadless = error.message;
    this.end(error);
  }

  #receive(reply: Reply): void {
    if (reply.type === 'share') void this.#startThreads(reply.shared);
    else if (reply.type === 'started') clearTimeout(this.#timer);
    else if (reply.type === 'pool_ready') this.#poolReady();
    else if (reply.type === 'progress') this.#pending.get(reply.id)?.progress(reply.progress);
    else if (reply.type === 'failure' && reply.error.kind === 'crashed') this.#fail(reply.error);
    else this.#answer(reply);
  }

  #answer(reply: Extract<Reply, { type: 'result' | 'failure' | 'aborted' }>): void {
    // A call that was aborted is settled already.
    const pending = this.#settle(reply.id);
    if (reply.type === 'result') pending?.resolve(reply.result);
    else if (reply.type === 'failure') pending?.reject(new RerankError(reply.error));
    else pending?.reject(pending.signal?.reason);
  }

  async #startThreads(shared: Shared): Promise<void> {
    const slow = () => this.#crash(`its threads did not start within ${THREADS_TIMEOUT / 1000} s`);
    this.#timer = setTimeout(slow, THREADS_TIMEOUT);
    try {
      await this.#threads.start(this.plan, shared);
      this.#worker.postMessage({ type: 'threads_ready' } satisfies Request);
    } catch (thrown) {
      this.#crash(messageOf(thrown));
    }
  }

  #poolReady(): void {
    clearTimeout(this.#timer);
    this.#starting = false;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}

function start(plan: Plan): Worker {
  try {
    return startWorker(plan);
  } catch (thrown) {
    const message = `the reranker's worker could not be started: ${messageOf(thrown)}`;
    throw new RerankError({ kind: 'crashed', message });
  }
}
