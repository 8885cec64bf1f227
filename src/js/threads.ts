/** The page's side of the threads: a worker for each but the first, which holds the model. */
import { type Plan, startWorker } from './plan.js';
import type { Request, Shared, ThreadReply } from './protocol.js';

/** The workers of one pool. */
export class Threads {
  readonly #workers: Worker[] = [];
  readonly #onStop: (reason: string) => void;

  /** `onStop` is called when one of them stops; it is up to the caller to end the others. */
  constructor(onStop: (reason: string) => void) {
    this.#onStop = onStop;
  }

  /** Starts the workers. Resolves when each of them waits for its seat in the pool. */
  async start(plan: Plan, shared: Shared): Promise<void> {
    const waiting = Array.from({ length: plan.threads - 1 }, () => this.#startOne(plan, shared));
    await Promise.all(waiting);
  }

  /** Ends them, wherever they are. */
  end(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #startOne(plan: Plan, shared: Shared): Promise<void> {
    const worker = startWorker(plan);
    this.#workers.push(worker);
    return new Promise((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<ThreadReply>) => {
        if (data.type === 'waiting') resolve();
        else this.#onStop(data.reason);
      };
      worker.onmessageerror = () => this.#onStop('a message could not be read');
      worker.onerror = (event) => {
        event.preventDefault();
        this.#onStop(event.message || 'its worker could not be started');
      };
      worker.postMessage({ type: 'thread', shared } satisfies Request);
    });
  }
}
