/** `npm start`: builds what is missing, then serves the demo page and the HTTP API. */
import { parseArgs } from 'node:util';
import { buildNative, buildPackage } from './build.mjs';
import { PAGE, assemblePage } from './page.mjs';
import { ROOT, script } from './run.mjs';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';

await script(async () => {
  const { values } = parseArgs({ options: { port: { type: 'string' } } });
  const asked = values.port ?? process.env['PORT'];
  await buildPackage();
  await buildNative();
  await assemblePage();
  const port = asked ?? String(await freePort(8080));
  const server = spawn(
    'target/release/qwen3-rerank',
    ['serve', '--page', PAGE, '--host', HOST, '--port', port],
    { cwd: ROOT, stdio: 'inherit' },
  );
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    process.on(signal, () => server.kill(signal));
  }
  server.on('exit', (code) => (process.exitCode = code ?? 1));
});

/**
 * The first port from `port` on that nobody listens on.
 * @param {number} port
 * @returns {Promise<number>}
 */
function freePort(port) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === 'EADDRINUSE') resolve(freePort(port + 1));
      else reject(error);
    });
    probe.listen(port, HOST, () => probe.close(() => resolve(port)));
  });
}
