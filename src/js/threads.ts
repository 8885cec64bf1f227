/** The workers of all threads but the first, whose worker holds the model. */
import { type Plan, startWorker } from './plan.js';
import type { Request, Shared, ThreadReply } from './protocol.js';

/** The workers of one pool. */
export class Threads {
  readonly #workers: Worker[] = [];
  readonly #onStop: (reason: string) => void;

  /** `onStop` is called when one of them stops; the caller must then end the others. */
  constructor(onStop: (reason: string) => void) {
    this.#onStop = onStop;
  }

  /** Starts the workers. Resolves when each of them is ready to join the pool. */
  async start(plan: Plan, shared: Shared): Promise<void> {
    await Promise.all(Array.from({ length: plan.threads - 1 }, () => this.#startOne(plan, shared)));
  }

  /** Ends them, whatever they are doing. */
  end(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #startOne(plan: Plan, shared: Shared): Promise<void> {
    const worker = startWorker(plan);
    this.#workers.push(worker);
    return new Promise((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<ThreadReply>) => {
        if (data.type === 'ready') resolve();
        else if (data.type === 'stopped') this.#onStop(data.reason);
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
