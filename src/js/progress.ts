/** Limits how often progress is posted, without ever losing its last state. */

/** Milliseconds between two posts: a page cannot show more. */
const POST_INTERVAL = 50;

/** Posts the progress of one phase of a call. */
export class ProgressReporter<P extends object> {
  readonly #post: (progress: P) => void;
  #postedAt = Number.NEGATIVE_INFINITY;
  /** The last state posted, as JSON. */
  #posted = '';
  /** The newest state, if it came too soon to be posted. */
  #held: P | undefined;

  constructor(post: (progress: P) => void) {
    this.#post = post;
  }

  /** Posts `progress`, or holds it if the last post was a moment ago. */
  report(progress: P): void {
    this.#held = progress;
    if (performance.now() - this.#postedAt >= POST_INTERVAL) this.finish();
  }

  /** Posts the newest state, unless it was posted already. To be called when the phase is over. */
  finish(): void {
    const progress = this.#held;
    this.#held = undefined;
    if (!progress) return;
    const text = JSON.stringify(progress);
    if (text === this.#posted) return;
    this.#posted = text;
    this.#postedAt = performance.now();
    this.#post(progress);
  }
}
