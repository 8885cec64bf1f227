/**
 * The page's side of the worker: sends requests, and gives each exactly one
 * answer, whatever happens to the worker or its threads.
 */
import { type ErrorFacts, RerankError, messageOf } from './errors.js';
import { type Plan, startWorker } from './plan.js';
import type { Reply, Reports, Request, Results, Shared } from './protocol.js';
import { Threads } from './threads.js';

/** Milliseconds that threads may take to start before the load goes on without them. */
const THREADS_START = 10_000;

type Kind = keyof Results;
type Body<K extends Kind> = Omit<Extract<Request, { type: K }>, 'type' | 'id'>;

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  report(report: unknown): void;
  signal: AbortSignal | undefined;
}

/** How a call may be watched and stopped. */
export interface CallOptions<K extends Kind> {
  signal?: AbortSignal | undefined;
  onReport?: ((report: Reports[K]) => void) | undefined;
}

/** One worker, its threads, and the calls that wait for it. */
export class Client {
  /** What was started. */
  readonly plan: Plan;
  readonly #worker: Worker;
  readonly #threads = new Threads((reason) => this.#crash(`one of its threads: ${reason}`));
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: RerankError | undefined;
  /** Whether threads are still to take their seats. */
  #starting: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Why threads could not be started, if that is what ended this. */
  threadless: string | undefined;

  constructor(plan: Plan) {
    this.plan = plan;
    this.#starting = plan.threads > 1;
    this.#worker = start(plan);
    this.#worker.onmessage = (event: MessageEvent<Reply>) => this.#receive(event.data);
    this.#worker.onmessageerror = () => this.#crash('a message could not be read');
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#crash(event.message || 'it could not be started; are its files served, and does the page allow it?');
    };
  }

  /** Sends a request and waits for its answer. */
  call<K extends Kind>(type: K, body: Body<K>, options: CallOptions<K> = {}): Promise<Results[K]> {
    const { signal, onReport } = options;
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
        report: (report) => onReport?.(report as Reports[K]),
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

  /** Ends the worker, which gives its memory back. Waiting and later calls reject with `error`. */
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

  /** The worker cannot go on after a crash, nor can other requests. */
  #fail(error: ErrorFacts): void {
    if (this.#ended) return;
    if (this.#starting) this.threadless = error.message;
    this.end(error);
  }

  #receive(reply: Reply): void {
    if (reply.type === 'share') void this.#startThreads(reply.shared);
    else if (reply.type === 'seated') this.#seated();
    else if (reply.type === 'report') this.#pending.get(reply.id)?.report(reply.report);
    else if (reply.type === 'failure' && reply.error.kind === 'crashed') this.#fail(reply.error);
    else this.#answer(reply);
  }

  #answer(reply: Extract<Reply, { type: 'result' | 'failure' | 'aborted' }>): void {
    // None is left of a call that was aborted here.
    const pending = this.#settle(reply.id);
    if (reply.type === 'result') pending?.resolve(reply.result);
    else if (reply.type === 'failure') pending?.reject(new RerankError(reply.error));
    else pending?.reject(pending.signal?.reason);
  }

  async #startThreads(shared: Shared): Promise<void> {
    const slow = () => this.#crash(`its threads did not start within ${THREADS_START / 1000} s`);
    this.#timer = setTimeout(slow, THREADS_START);
    try {
      await this.#threads.start(this.plan, shared);
      this.#worker.postMessage({ type: 'seat' } satisfies Request);
    } catch (thrown) {
      this.#crash(messageOf(thrown));
    }
  }

  #seated(): void {
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
