/** candle-transformers, natively and in Chromium: the crate of benches/peers/candle. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { optimise } from '../../scripts/build.mjs';
import { ROOT, run, step } from '../../scripts/run.mjs';
import { BINDGEN, ensureBindgen } from '../../scripts/toolchain.mjs';
import { openInChromium, peakOf } from './chromium.mjs';
import { ended } from './contender.mjs';
import { FOLDER } from './work.mjs';

/** @typedef {import('./contender.mjs').Contender} Contender */

const MANIFEST = ['--release', '--manifest-path', 'benches/peers/candle/Cargo.toml', '--target-dir', `${FOLDER}/candle`];
const WASM = 'wasm32-unknown-unknown';
const PROGRAM = `${FOLDER}/candle/release/candle-peer`;

/**
 * @param {string} file
 * @param {{ threads: number }} options
 * @returns {Promise<Contender>}
 */
export async function candleNatively(file, { threads }) {
  step("building candle's program");
  // Some of its kernels are chosen when it is compiled.
  await run('cargo', ['build', ...MANIFEST], { RUSTFLAGS: '-C target-cpu=native' });
  const child = spawn(PROGRAM, [file], {
    cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, RAYON_NUM_THREADS: String(threads) },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const seconds = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("candle's program ended");
    return Number(value);
  };
  const loadSeconds = await seconds();
  /** @param {import('./work.mjs').Request} request */
  const prefill = async ({ ids }) => {
    child.stdin.write(`${ids[0]?.join(' ')}\n`);
    return { seconds: await seconds() };
  };
  return {
    loadSeconds,
    prefill,
    rerank: () => Promise.reject(new Error('candle does not rerank')),
    peakBytes: async () => peakOf(child.pid ?? 0),
    close: async () => {
      child.stdin.end();
      await ended(child);
    },
  };
}

/**
 * On one thread: candle's do nothing in WebAssembly.
 * @param {string} file
 * @returns {Promise<Contender>}
 */
export async function candleInChromium(file) {
  await ensureBindgen();
  step("building candle's WebAssembly module");
  // The flags of .cargo/config.toml, simd128 among them, hold here too.
  await run('cargo', ['build', '--lib', '--target', WASM, ...MANIFEST]);
  const built = `${FOLDER}/candle/${WASM}/release/candle_peer.wasm`;
  const web = `${FOLDER}/candle/web`;
  await run(BINDGEN, [built, web]);
  await optimise(`${web}/candle_peer_bg.wasm`);
  return openInChromium('candle', file, {});
}
