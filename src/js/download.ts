/** Fetches a model file into a Blob: whole, or not at all. */
import { RerankError, messageOf } from './errors.js';

/** Bytes gathered before they move into a Blob, which the browser may keep on disk. */
const CHUNK = 16 << 20;

/** Where from, and how to watch and stop it. */
export interface Download {
  url: string;
  headers: [string, string][];
  signal: AbortSignal;
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
  const encoded = response.headers.has('content-encoding');
  const announced = encoded ? null : lengthOf(response);
  const parts: Blob[] = [];
  let loaded = 0;
  try {
    for await (const part of blobs(response.body, (bytes) => onProgress((loaded += bytes), announced))) {
      parts.push(part);
    }
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    throw fail(`HTTP ${response.status}, but the download broke off after ${loaded} bytes (${messageOf(thrown)})`);
  }
  // More than announced is no fault: other origins do not show that they compress.
  if (announced !== null && loaded < announced) {
    throw fail(`HTTP ${response.status}, but only ${loaded} of ${announced} bytes came`);
  }
  return new Blob(parts);
}

function lengthOf(response: Response): number | null {
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  return Number.isSafeInteger(length) && length > 0 ? length : null;
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
