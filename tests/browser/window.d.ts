/** What `openPackage` and the tests put on the page's window. */
import type { Reranker } from '../../src/js/index.ts';

declare global {
  interface Outcome {
    value?: unknown;
    error?: { name: string; kind?: string; field?: string; message: string; own: boolean };
  }
  interface Window {
    Reranker: typeof Reranker;
    reranker: Reranker;
    model: string;
    /** Workers that the page started. */
    started: Worker[];
    /** Documents that take seconds to score. */
    long: string[];
    /** The model's bytes. */
    whole: ArrayBuffer;
    outcome(promise: Promise<unknown>): Promise<Outcome>;
  }
}
