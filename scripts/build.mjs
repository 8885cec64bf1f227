/**
 * Builds the npm package into dist/: the WebAssembly module in four builds, their
 * bindings and the TypeScript around them. Installs the tools that this needs.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { Failure, ROOT, run, script, step } from './run.mjs';
import { BINDGEN, ensureBindgen, ensurePackages, ensureRustSource, requireCompilers } from './toolchain.mjs';

const TARGET = 'wasm32-unknown-unknown';
const DIST = join(ROOT, 'dist');
const MODULE = 'qwen3_rerank_bg.wasm';

/** Greatest size of what a visitor downloads besides a model, in bytes after brotli. */
const LIMIT = 1_200_000;

/** The WebAssembly features of every build; all browsers since 2023 have them. */
const FEATURES = [
  'simd', 'bulk-memory', 'bulk-memory-opt', 'sign-ext', 'nontrapping-float-to-int',
  'mutable-globals', 'reference-types', 'multivalue',
];

/**
 * @typedef {object} Build
 * @property {string} name its folder in dist/builds, target/bindings/builds and target/wasm
 * @property {string[]} cargo cargo's arguments, in addition to those of every build
 * @property {string[]} rustc rustc's arguments for this crate alone, so that builds share compiled dependencies
 * @property {NodeJS.ProcessEnv} env
 * @property {string[]} features WebAssembly features, in addition to those of every build
 * @property {string} [like] a build whose dependencies are compiled in the same way
 */

/** Compiler options and features of a build with relaxed SIMD. */
export const RELAXED = { rustc: ['-C', 'target-feature=+relaxed-simd'], features: ['relaxed-simd'] };

/**
 * Shared memory: the first thread's worker makes it, and every thread's instance imports it. The
 * standard library must be compiled for it too, which stable Rust does only with RUSTC_BOOTSTRAP.
 */
const THREADS = {
  cargo: [
    '--features', 'threads', '-Z', 'build-std=std,panic_abort',
    '--config', `target.${TARGET}.rustflags=${JSON.stringify([
      'target-feature=+atomics,+bulk-memory,+mutable-globals',
      ...[
        '--shared-memory', '--import-memory', '--max-memory=4294967296', '--export=__wasm_init_tls',
        '--export=__tls_size', '--export=__tls_align', '--export=__tls_base', '--export=__heap_base',
      ].map((argument) => `link-arg=${argument}`),
    ].flatMap((option) => ['-C', option]))}`,
  ],
  env: { RUSTC_BOOTSTRAP: '1' },
};

/** @type {Build[]} */
const BUILDS = [
  { name: 'simd128', cargo: [], rustc: [], env: {}, features: [] },
  { name: 'relaxed', cargo: [], env: {}, ...RELAXED, like: 'simd128' },
  { name: 'simd128-threads', ...THREADS, rustc: [], features: ['threads'] },
  { name: 'relaxed-threads', ...THREADS, ...RELAXED, features: ['threads', 'relaxed-simd'], like: 'simd128-threads' },
];

/** The build that is made first: every browser runs it, and it is compiled soonest. */
export const FIRST = 'simd128';

/** Cargo's arguments for the core in WebAssembly; each build has its own folder, since all write the same file name. */
const cargoArguments = (/** @type {string} */ name) =>
  ['--release', '--no-default-features', '--target', TARGET, '--target-dir', `target/wasm/${name}`];

/** Those of the build for every browser, on one thread. */
export const WASM = cargoArguments('simd128');

/** Cargo's arguments for the unit tests that also run in WebAssembly, with all instruction sets. */
export const WASM_UNIT_TESTS = [
  '--lib', ...cargoArguments('unit-tests'), '--config', `target.${TARGET}.rustflags=${JSON.stringify(RELAXED.rustc)}`,
];

/** Builds dist/ with all builds of the module, and prints what a visitor of a page downloads. */
export async function buildPackage() {
  requireCompilers();
  await ensurePackages();
  await ensureBindgen();
  await ensureRustSource();
  step('building the WebAssembly module, four times');
  await buildModules(BUILDS);
  step('compiling TypeScript');
  await assembleDist(BUILDS, []);
  checkSizes();
}

/** Builds dist/ with the first build of the module alone, whose page must ask for no other. */
export async function buildFirstPackage() {
  await Promise.all([ensurePackages(), ensureBindgen()]);
  const first = BUILDS.filter(({ name }) => name === FIRST);
  step(`building the WebAssembly module: ${FIRST}`);
  await buildModules(first);
  // Unchecked: the other builds' declarations are not there yet.
  await assembleDist(first, ['--noCheck']);
}

/** Whether all builds of the module were made before; they may be out of date. */
export function isBuilt() {
  return BUILDS.every(({ name }) => existsSync(join(bindings(name), MODULE)));
}

/**
 * Compiles TypeScript into dist/, and puts builds of the module there.
 * @param {Build[]} builds
 * @param {string[]} options the compiler's
 */
async function assembleDist(builds, options) {
  rmSync(DIST, { recursive: true, force: true });
  await run('node_modules/.bin/tsc', options);
  for (const { name } of builds) {
    const [from, to] = [bindings(name), join(DIST, 'builds', name)];
    mkdirSync(to, { recursive: true });
    for (const file of ['qwen3_rerank.js', MODULE]) copyFileSync(join(from, file), join(to, file));
  }
}

/**
 * The command line and server.
 * @param {string} [profile] cargo's
 */
export async function buildNative(profile = 'release') {
  step('building the native program');
  await run('cargo', ['build', '--profile', profile, '--bin', 'qwen3-rerank']);
}

/**
 * Compiles one build while the last one is optimised, which uses one processor.
 * @param {Build[]} builds
 */
async function buildModules(builds) {
  let compiled = Promise.resolve();
  await Promise.all(builds.map((build) => {
    compiled = compiled.then(() => compile(build));
    return compiled.then(() => bind(build));
  }));
}

/** @param {Build} build */
async function compile({ name, cargo, rustc, env, like }) {
  const folder = join(ROOT, 'target/wasm', name);
  // So that its dependencies are not compiled again.
  if (like && !existsSync(folder)) {
    cpSync(join(ROOT, 'target/wasm', like), folder, { recursive: true, preserveTimestamps: true });
  }
  const extra = rustc.length > 0 ? ['--', ...rustc] : [];
  await run('cargo', ['rustc', '--lib', ...cargoArguments(name), ...cargo, ...extra], env);
}

/**
 * Makes the bindings and optimises the module, unless it has not changed.
 * @param {Build} build
 */
async function bind({ name, features }) {
  const built = `target/wasm/${name}/${TARGET}/release/qwen3_rerank.wasm`;
  const done = join(bindings(name), MODULE);
  const time = (/** @type {string} */ file) => statSync(file).mtimeMs;
  // Cargo leaves the time of an unchanged module alone.
  const newest = Math.max(time(join(ROOT, built)), time(import.meta.filename));
  if (existsSync(done) && time(done) >= newest) return;
  const folder = `target/bound/${name}`;
  rmSync(bindings(name), { recursive: true, force: true });
  await run(BINDGEN, [built, folder]);
  const bytes = `${folder}/${MODULE}`;
  await optimise(bytes, features);
  mkdirSync(bindings(name), { recursive: true });
  for (const file of ['qwen3_rerank.js', 'qwen3_rerank.d.ts']) {
    copyFileSync(join(ROOT, folder, file), join(bindings(name), file));
  }
  // Last, since its time is what marks the build as done.
  copyFileSync(join(ROOT, bytes), done);
}

/**
 * Optimises a module for speed, in its place.
 * @param {string} file
 * @param {string[]} [features] WebAssembly features, in addition to those of every build
 */
export async function optimise(file, features = []) {
  const enabled = [...FEATURES, ...features].map((feature) => `--enable-${feature}`);
  await run('node_modules/.bin/wasm-opt', [file, '-O3', ...enabled, '--strip-debug', '-o', `${file}.optimised`]);
  renameSync(join(ROOT, `${file}.optimised`), join(ROOT, file));
}

/** @param {string} name */
function bindings(name) {
  return join(ROOT, 'target/bindings/builds', name);
}

/** Prints the size of what a visitor downloads besides a model: the JavaScript, and one build. */
function checkSizes() {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
  const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(js|wasm)$/.test(file));
  const sizes = files.map((file) => {
    const bytes = readFileSync(join(DIST, file));
    return { file, raw: bytes.length, brotli: brotliCompressSync(bytes, { params }).length };
  });
  console.log('\nWhat a visitor downloads, without a model (bytes):');
  for (const { name } of BUILDS) {
    const own = [`builds/${name}.js`, ...['qwen3_rerank.js', MODULE].map((file) => join('builds', name, file))];
    const needed = sizes.filter(({ file }) => dirname(file) === '.' || own.includes(file));
    const sum = (/** @type {'raw' | 'brotli'} */ key) => needed.reduce((total, size) => total + size[key], 0);
    console.log(`  ${name.padEnd(16)}${String(sum('raw')).padStart(9)} raw${String(sum('brotli')).padStart(9)} brotli`);
    if (sum('brotli') > LIMIT) throw new Failure(`the build ${name} is larger than ${LIMIT} bytes by brotli`);
  }
}

if (process.argv[1] === import.meta.filename) await script(buildPackage);
