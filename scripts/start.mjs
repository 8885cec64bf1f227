/**
 * `npm start`: builds what is missing, then serves the demo page and the HTTP API. In a fresh
 * checkout the page starts with the one build of the module that is compiled soonest; the others follow.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { FIRST, buildFirstPackage, buildNative, buildPackage, isBuilt } from './build.mjs';
import { PAGE, assemblePage } from './page.mjs';
import { Failure, ROOT, script, step, stopPrograms } from './run.mjs';
import { requireCompilers } from './toolchain.mjs';

const HOST = '127.0.0.1';

/** Cargo's profile: of Cargo.toml, for a build from nothing that is short. */
const PROFILE = 'start';

await script(async () => {
  const { values } = parseArgs({ options: { port: { type: 'string' } } });
  const complete = isBuilt();
  requireCompilers();
  await Promise.all([complete ? buildPackage() : buildFirstPackage(), buildNative(PROFILE)]);
  await assemblePage(complete ? undefined : FIRST);
  const server = serve(values.port ?? process.env['PORT'] ?? String(await freePort(8080)));
  if (complete) return;
  try {
    await buildOthers();
  } catch (error) {
    if (server.exitCode !== null || server.signalCode !== null) return;
    if (!(error instanceof Failure)) throw error;
    console.error(`\nThe page stays with one thread, since the other builds failed: ${error.message}`);
  }
});

/**
 * Serves the page until this process is told to stop.
 * @param {string} port
 */
function serve(port) {
  const args = ['serve', '--page', PAGE, '--host', HOST, '--port', port];
  const server = spawn(`target/${PROFILE}/qwen3-rerank`, args, { cwd: ROOT, stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    process.on(signal, () => server.kill(signal));
  }
  server.on('exit', (code) => {
    process.exitCode = code ?? 1;
    stopPrograms();
  });
  return server;
}

/** Completes the package while the page is served, and replaces the page. */
async function buildOthers() {
  step('the page is served with one thread; building the other builds of the module');
  await buildPackage();
  await assemblePage();
  step('all builds are there: reload the page to use several threads');
}

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
