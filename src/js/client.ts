/**
 * The page's side of the worker: sends requests, and gives each exactly one
 * answer, whatever happens to the worker.
 */
import { type ErrorFacts, RerankError, messageOf } from './errors.js';
import type { Reply, Reports, Request, Results } from './protocol.js';

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

/** One worker and the calls that wait for it. */
export class Client {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: RerankError | undefined;

  constructor() {
    this.#worker = startWorker();
    this.#worker.onmessage = (event: MessageEvent<Reply>) => this.#receive(event.data);
    this.#worker.onmessageerror = () => this.#crash('a message could not be read');
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#crash(event.message || 'it could not be started; is worker.js served, and does the page allow it?');
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
    this.#worker.terminate();
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(this.#ended);
  }

  #crash(reason: string): void {
    this.end({ kind: 'crashed', message: `the reranker's worker stopped: ${reason}` });
  }

  #receive(reply: Reply): void {
    if (reply.type === 'report') {
      this.#pending.get(reply.id)?.report(reply.report);
      return;
    }
    // The worker cannot go on after a crash, nor can other requests.
    if (reply.type === 'failure' && reply.error.kind === 'crashed') {
      this.end(reply.error);
      return;
    }
    // None is left of a call that was aborted here.
    const pending = this.#settle(reply.id);
    if (reply.type === 'result') pending?.resolve(reply.result);
    else if (reply.type === 'failure') pending?.reject(new RerankError(reply.error));
    else pending?.reject(pending.signal?.reason);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}

function startWorker(): Worker {
  if (typeof Worker === 'undefined') {
    throw new RerankError({ kind: 'crashed', message: 'this package needs a browser: there is no Worker here' });
  }
  try {
    // Bundlers look for exactly this expression.
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  } catch (thrown) {
    const message = `the reranker's worker could not be started: ${messageOf(thrown)}`;
    throw new RerankError({ kind: 'crashed', message });
  }
}
