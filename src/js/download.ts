/** Fetches a model file into a Blob: whole, or not at all. */
import { RerankError, messageOf } from './errors.js';

/** Bytes gathered before they move into a Blob, which the browser may keep on disk. */
const CHUNK = 16 << 20;

/** Where from, and how to watch and stop it. */
export interface Download {
  url: string;
  headers: [string, string][];
  signal: AbortSignal;
  /** `total` is null while it is not known; the last call of a whole download has `loaded === total`. */
  onProgress(loaded: number, total: number | null): void;
}

/** Downloads `url`. Rejects with kind `download`, or with the signal's reason. */
export async function download({ url, headers, signal, onProgress }: Download): Promise<Blob> {
  const fail = (reason: string) => new RerankError({ kind: 'download', message: `${url}: ${reason}` });
  let response: Response;
  try {
    response = await fetch(url, { headers, signal });
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    throw fail(`could not be fetched (${messageOf(thrown)})`);
  }
  if (!response.ok || !response.body) {
    throw fail(`the server answered ${response.status} ${response.statusText}`.trimEnd());
  }
  const { bytes: announced, certain } = announcedLength(response);
  const parts: Blob[] = [];
  let loaded = 0;
  const count = (bytes: number) => {
    loaded += bytes;
    onProgress(loaded, announced !== null && loaded <= announced ? announced : null);
  };
  try {
    for await (const part of blobs(response.body, count)) parts.push(part);
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    throw fail(`HTTP ${response.status}, but the download broke off after ${loaded} bytes (${messageOf(thrown)})`);
  }
  if (certain && announced !== null && loaded < announced) {
    throw fail(`HTTP ${response.status}, but only ${loaded} of ${announced} bytes came`);
  }
  onProgress(loaded, loaded);
  return new Blob(parts);
}

/**
 * The length of the body by the response's headers, or null if they do not tell.
 * Content-Length counts compressed bytes, and another origin does not show whether it
 * compresses, so its length serves as an estimate: a body that was cut is found by the GGUF reader.
 */
function announcedLength(response: Response): { bytes: number | null; certain: boolean } {
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const known = Number.isSafeInteger(length) && length > 0 && !response.headers.has('content-encoding');
  return { bytes: known ? length : null, certain: known && response.type !== 'cors' };
}

/** Turns a stream into Blobs of about `CHUNK` bytes, so that no more than that stays in memory. */
async function* blobs(stream: ReadableStream<Uint8Array>, onBytes: (bytes: number) => void) {
  const reader = stream.getReader();
  let gathered: BlobPart[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (value) {
      gathered.push(value as Uint8Array<ArrayBuffer>);
      bytes += value.byteLength;
      onBytes(value.byteLength);
    }
    if (done || bytes >= CHUNK) {
      yield new Blob(gathered);
      gathered = [];
      bytes = 0;
    }
    if (done) return;
  }
}
