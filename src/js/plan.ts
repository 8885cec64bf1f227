/**
 * Which build of the module this page can run, on how many threads, and its
 * workers. A visitor downloads one build.
 */
import { RerankError } from './errors.js';

/** The instructions that a build uses beyond plain WebAssembly. */
export type Build = 'simd128' | 'relaxed';

/** The build and the number of threads to start. */
export interface Plan {
  build: Build;
  threads: number;
  /** Why there is only one thread. */
  threads_reason?: string;
}

/** The load options that decide the plan. */
export interface PlanOptions {
  build?: Build;
  threads?: number;
}

/** Greatest value of the option `threads`. */
export const MAX_THREADS = 32;

/** Most threads when the option is left out: more gain little, and a phone's slow cores delay the others. */
const DEFAULT_THREADS = 8;

/** A module whose one function is `i16x8.relaxed_dot_i8x16_i7x16_s` of a vector and itself. */
const RELAXED = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0,
  1, 6, 1, 96, 1, 123, 1, 123, // type: v128 to v128
  3, 2, 1, 0, // function 0 has it
  10, 11, 1, 9, 0, 32, 0, 32, 0, 253, 146, 2, 11,
]);

/** The fastest plan that this page can run under these options. */
export function makePlan({ build, threads }: PlanOptions): Plan {
  if (typeof Worker === 'undefined') {
    throw new RerankError({ kind: 'crashed', message: 'this package needs a browser: there is no Worker here' });
  }
  const relaxed = WebAssembly.validate(RELAXED);
  if (build === 'relaxed' && !relaxed) {
    const message = 'build: must be simd128, since this browser has no relaxed SIMD';
    throw new RerankError({ kind: 'invalid_value', field: 'build', message });
  }
  const plan: Plan = { build: build ?? (relaxed ? 'relaxed' : 'simd128'), threads: 1 };
  const processors = navigator.hardwareConcurrency || 1;
  const wanted = threads ?? Math.min(processors, DEFAULT_THREADS);
  const threads_reason = whyOneThread(threads, wanted);
  return threads_reason === undefined ? { ...plan, threads: wanted } : { ...plan, threads_reason };
}

function whyOneThread(asked: number | undefined, wanted: number): string | undefined {
  if (asked === 1) return 'the option threads is 1';
  if (wanted === 1) return 'this device has one processor';
  if (!globalThis.crossOriginIsolated) {
    return 'the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy: same-origin, '
      + 'and it and the scripts of this package with Cross-Origin-Embedder-Policy: require-corp';
  }
  return sharesMemory() ? undefined : 'this browser does not share WebAssembly memory between threads';
}

function sharesMemory(): boolean {
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

/** Starts a worker of the plan's build, for the model or for one of the other threads. */
export function startWorker({ build, threads }: Plan): Worker {
  // Bundlers look for exactly these expressions.
  if (build === 'simd128') {
    return threads === 1
      ? new Worker(new URL('./builds/simd128.js', import.meta.url), { type: 'module' })
      : new Worker(new URL('./builds/simd128-threads.js', import.meta.url), { type: 'module' });
  }
  return threads === 1
    ? new Worker(new URL('./builds/relaxed.js', import.meta.url), { type: 'module' })
    : new Worker(new URL('./builds/relaxed-threads.js', import.meta.url), { type: 'module' });
}
