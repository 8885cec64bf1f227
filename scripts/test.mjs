/** `npm test`: installs what the tests need and runs them; with a name, only that part. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RELAXED, WASM, WASM_UNIT_TESTS, buildNative, buildPackage } from './build.mjs';
import { assemblePage } from './page.mjs';
import { Failure, ROOT, run, script, step } from './run.mjs';
import {
  ARM, ensureArmTools, ensureBundlers, ensureChromium, ensureLlama, ensurePackages, ensureWasmTools, requireCompilers,
} from './toolchain.mjs';

/** In the order that finds a fault soonest; later parts use what earlier ones built. */
const parts = { lint, rust, arm, wasm, browser, peers };

/** Parts that run only when asked for. */
const others = { parity };

let programIsBuilt = false;

await script(async () => {
  const name = process.argv[2];
  const all = { ...parts, ...others };
  const chosen = name === undefined ? Object.values(parts) : [all[/** @type {keyof typeof all} */ (name)]];
  requireCompilers();
  await ensurePackages();
  for (const part of chosen) {
    if (!part) throw new Failure(`there is no part ${name}; the parts are ${Object.keys(all).join(', ')}`);
    await part();
  }
});

/** Format, Clippy for all builds, and TypeScript in src, tools and tests. */
async function lint() {
  await ensureWasmTools();
  step('checking format and lints');
  await run(process.execPath, ['scripts/cycles.mjs']);
  await run(process.execPath, ['scripts/code-shape.mjs']);
  await run(process.execPath, ['scripts/mutants.mjs', '--check']);
  await run('cargo', ['fmt', '--check']);
  await run('cargo', ['clippy', '--release', '--all-targets', '--features', 'bench', '--', '-D', 'warnings']);
  await run('cargo', ['clippy', '--lib', '--test', 'wasm', ...WASM, '--', '-D', 'warnings']);
  // What the other builds have besides.
  await run('cargo', ['clippy', '--lib', '--features', 'threads', ...WASM, '--', '-D', 'warnings', ...RELAXED.rustc]);
  await buildPackage();
  await run('node_modules/.bin/tsc', ['-p', 'scripts']);
}

/** Everything that cargo tests, in the profile of the shipped program, which this builds too. */
async function rust() {
  step('testing the crate');
  await run('cargo', ['test', '--release']);
  programIsBuilt = true;
}

/** Builds the program unless `rust` has: by itself it is built with other features of its dependencies. */
async function ensureProgram() {
  if (!programIsBuilt) await buildNative();
}

/** The kernels of 64-bit ARM, emulated; on such a machine `rust` has tested them. */
async function arm() {
  if (process.arch === 'arm64') return;
  if (process.platform !== 'linux') return step('the kernels of 64-bit ARM are tested on Linux alone');
  await ensureArmTools();
  step(`testing the kernels for ${ARM.target}`);
  const variable = `CARGO_TARGET_${ARM.target.toUpperCase().replaceAll('-', '_')}`;
  await run('cargo', ['test', '--release', '--lib', '--no-default-features', '--features', 'threads', '--target', ARM.target, 'kernel'], {
    [`${variable}_LINKER`]: ARM.linker, [`${variable}_RUNNER`]: `${ARM.emulator} -cpu max -L ${ARM.root}`,
  });
}

/** The core inside WebAssembly, run by Node. */
async function wasm() {
  await ensureWasmTools();
  step('testing the crate in WebAssembly');
  // The runner writes CommonJS into a temporary folder, where a package.json further up may say otherwise.
  const folder = join(ROOT, 'target/wasm-test');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  await run('cargo', ['test', '--test', 'wasm', ...WASM], { TMPDIR: folder });
}

/** The packed package on the served page, in Chromium. */
async function browser() {
  await preparePage();
  await ensureBundlers();
  step('building the kernels\' tests for WebAssembly');
  await run('cargo', ['test', '--no-run', ...WASM_UNIT_TESTS]);
  step('testing the page in Chromium');
  const files = readdirSync('tests/browser').filter((file) => file.endsWith('.test.mjs'));
  await run(process.execPath, ['--test', '--test-timeout=300000', ...files.map((file) => `tests/browser/${file}`)]);
}

async function preparePage() {
  await ensureChromium();
  await buildPackage();
  await ensureProgram();
  await assemblePage();
}

/** Other implementations on files of ours. */
async function peers() {
  await ensureLlama();
  await ensureProgram();
  step('comparing with llama.cpp');
  const files = readdirSync('tests/peers').filter((file) => file.endsWith('.test.mjs'));
  await run(process.execPath, ['--test', '--test-timeout=120000', ...files.map((file) => `tests/peers/${file}`)]);
}

/** Prints the largest differences from the reference, by file type; with `--large`, on the 0.6B shape too, there and in Chromium. */
async function parity() {
  const large = process.argv.includes('--large');
  // One test at a time, or their tables would mix.
  const options = ['--nocapture', '--test-threads=1', ...(large ? ['--include-ignored'] : [])];
  await run('cargo', ['test', '--release', '--test', 'parity', '--', ...options]);
  if (!large) return;
  await preparePage();
  await run(process.execPath, ['--test', 'tests/browser/large.mjs']);
}
