/** A server of another origin that answers the model's bytes with lengths that are missing or misleading. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { constants, gzipSync } from 'node:zlib';
import { MODEL } from '../../scripts/page.mjs';
import { ROOT } from './program.mjs';

/** Starts it on a free port. */
export async function startDownloads() {
  const model = readFileSync(new URL(MODEL, ROOT));
  const gzip = { 'Content-Encoding': 'gzip' };
  // Stored without compression, which is longer than the file.
  const [shorter, longer] = [gzipSync(model), gzipSync(model, { level: constants.Z_NO_COMPRESSION })];
  /** @type {Record<string, { headers?: import('node:http').OutgoingHttpHeaders, body: Buffer }>} */
  const answers = {
    '/chunked.gguf': { body: model },
    '/exact.gguf': { headers: { 'Content-Length': model.length }, body: model },
    '/shorter.gguf': { headers: { ...gzip, 'Content-Length': shorter.length }, body: shorter },
    '/longer.gguf': { headers: { ...gzip, 'Content-Length': longer.length }, body: longer },
    '/empty.gguf': { headers: { 'Content-Length': 0 }, body: Buffer.alloc(0) },
  };
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    response.writeHead(answer ? 200 : 404, { ...answer?.headers, 'Access-Control-Allow-Origin': '*' });
    // In two parts: one write alone gets a Content-Length from Node.
    const body = answer?.body ?? Buffer.alloc(0);
    response.write(body.subarray(0, 1000), () => response.end(body.subarray(1000)));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', () => listening(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { address: `http://127.0.0.1:${port}`, bytes: model.length, compressed: shorter.length, stop: () => server.close() };
}
