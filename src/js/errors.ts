/** The package's error class, and its stable kinds. */

/** The kind of an error. The HTTP server uses the same words. */
export type ErrorKind =
  /** A value outside its limits; `field` names it. */
  | 'invalid_value'
  /** A missing field or a wrong type; `field` names it. */
  | 'invalid_shape'
  /** The request names a model that is not loaded. */
  | 'unknown_model'
  /** The file is not a well-formed GGUF model: truncated, corrupt or foreign. */
  | 'invalid_model'
  /** A well-formed file with a feature that this package does not support. */
  | 'unsupported_model'
  /** The model gave a score that is not a finite number. */
  | 'not_finite'
  /** The file could not be read. */
  | 'io'
  /** The model could not be downloaded whole. */
  | 'download'
  /** The reranker was disposed. */
  | 'disposed'
  /** The worker could not start, or stopped; this reranker is of no more use. */
  | 'crashed'
  /** A bug in this package. */
  | 'internal';

/** An error in the form that crosses from the worker to the page. */
export interface ErrorFacts {
  kind: ErrorKind;
  message: string;
  field?: string;
}

/** Every error of this package, except an abort, which rejects as `fetch` does. */
export class RerankError extends Error {
  override readonly name = 'RerankError';
  /** The stable word for the kind of error. */
  readonly kind: ErrorKind;
  /** The request field or option at fault, where there is one. */
  readonly field: string | undefined;

  constructor({ kind, message, field }: ErrorFacts) {
    super(message);
    this.kind = kind;
    this.field = field;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
