/**
 * Builds the npm package into dist/: the WebAssembly module, its bindings and
 * the TypeScript around them. Installs the tools that this needs.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { ROOT, run, script, step } from './run.mjs';
import { ensurePackages, ensureWasmTools, requireCompilers } from './toolchain.mjs';

const TARGET = 'wasm32-unknown-unknown';
const BINDINGS = join(ROOT, 'target/bindings');
const DIST = join(ROOT, 'dist');
const MODULE = 'qwen3_rerank_bg.wasm';

/** The WebAssembly features that the module uses; every browser of 2023 has them. */
const FEATURES = [
  'simd', 'bulk-memory', 'bulk-memory-opt', 'sign-ext', 'nontrapping-float-to-int',
  'mutable-globals', 'reference-types', 'multivalue',
].map((feature) => `--enable-${feature}`);

/** Cargo's arguments for the core in WebAssembly. */
export const WASM = ['--release', '--no-default-features', '--target', TARGET];

/** Builds dist/ and prints what a visitor of a page downloads. */
export async function buildPackage() {
  requireCompilers();
  await ensurePackages();
  await ensureWasmTools();
  await buildModule();
  step('compiling TypeScript');
  await run('node_modules/.bin/tsc', []);
  for (const file of ['qwen3_rerank.js', MODULE]) copyFileSync(join(BINDINGS, file), join(DIST, file));
  printSizes();
}

/** The command line and server. */
export async function buildNative() {
  step('building the native program');
  await run('cargo', ['build', '--release', '--bin', 'qwen3-rerank']);
}

async function buildModule() {
  step('building the WebAssembly module');
  await run('cargo', ['build', '--lib', ...WASM]);
  const built = `target/${TARGET}/release/qwen3_rerank.wasm`;
  const bound = join(BINDINGS, MODULE);
  // Cargo leaves the time of an unchanged module alone.
  if (existsSync(bound) && statSync(bound).mtimeMs >= statSync(join(ROOT, built)).mtimeMs) return;
  step('binding and optimising the module');
  rmSync(BINDINGS, { recursive: true, force: true });
  mkdirSync(DIST, { recursive: true });
  await run('target/tools/bin/wasm-bindgen', [
    built, '--target', 'web', '--out-dir', 'target/bound', '--remove-name-section', '--remove-producers-section',
  ]);
  const bytes = `target/bound/${MODULE}`;
  await run('node_modules/.bin/wasm-opt', [bytes, '-O3', ...FEATURES, '--strip-debug', '-o', `${bytes}.optimised`]);
  mkdirSync(BINDINGS, { recursive: true });
  for (const file of ['qwen3_rerank.js', 'qwen3_rerank.d.ts']) {
    copyFileSync(join(ROOT, 'target/bound', file), join(BINDINGS, file));
  }
  // Last, since its time says that all is done.
  copyFileSync(join(ROOT, `${bytes}.optimised`), bound);
}

function printSizes() {
  const rows = readdirSync(DIST).filter((file) => /\.(js|wasm)$/.test(file)).map((file) => {
    const bytes = readFileSync(join(DIST, file));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
    return { file, raw: bytes.length, brotli: brotliCompressSync(bytes, { params }).length };
  });
  const sum = (/** @type {'raw' | 'brotli'} */ key) => rows.reduce((total, row) => total + row[key], 0);
  console.log('\nWhat a visitor downloads (bytes):');
  for (const { file, raw, brotli } of [...rows, { file: 'together', raw: sum('raw'), brotli: sum('brotli') }]) {
    console.log(`  ${file.padEnd(24)}${String(raw).padStart(9)} raw${String(brotli).padStart(9)} brotli`);
  }
}

if (process.argv[1] === import.meta.filename) await script(buildPackage);
