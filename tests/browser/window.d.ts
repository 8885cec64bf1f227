/** What `openPackage` and the tests put on the page's window. */
import type { RerankOptions, Reranker } from '../../src/js/index.ts';

declare global {
  interface Outcome {
    value?: unknown;
    error?: { name: string; kind: string | undefined; field: string | undefined; message: string; own: boolean };
  }
  interface Window {
    Reranker: typeof Reranker;
    reranker: Reranker;
    model: string;
    /** Workers that the page started. */
    started: Worker[];
    /** The model's bytes. */
    whole: ArrayBuffer;
    outcome(promise: Promise<unknown>): Promise<Outcome>;
    startLong(reranker: Reranker, options?: RerankOptions): Promise<{ long: Promise<Outcome> | undefined }>;
    pickedFile(): File;
    /** A load under way, and how to abort it. */
    loading: Promise<Outcome>;
    abortLoading(): void;
  }
}
