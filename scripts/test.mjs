/**
 * `npm test`: runs all parts; with a name, only that part. Tools from the registries of npm and
 * cargo are installed into target/. System packages are installed in CI or with `-- --install`;
 * a part that lacks one is skipped otherwise, and the run fails in the end.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BROWSERS, ensureBrowser } from './browsers.mjs';
import { RELAXED, WASM, WASM_UNIT_TESTS, buildNative, buildPackage } from './build.mjs';
import { checkDocs } from './docs.mjs';
import { checkPackages } from './package.mjs';
import { assemblePage } from './page.mjs';
import { Failure, ROOT, run, script, step } from './run.mjs';
import { MissingTool } from './system-packages.mjs';
import { ARM, ensureArmTools, ensureBundlers, ensureLlama, ensurePackages, ensureTestRunner, requireCompilers } from './toolchain.mjs';

/** @typedef {import('./browsers.mjs').BrowserName} BrowserName */

/** In the order that finds a fault soonest; later parts use what earlier ones built. */
const parts = { lint, rust, arm, wasm, browser, peers };

/** Parts that run only when asked for. */
const others = { parity };

/** Cargo's features of the native program without the embedded model. */
const WITHOUT_MODEL = ['--no-default-features', '--features', 'native'];

let programIsBuilt = false;

/** Tests that did not run, each with the reason. @type {string[]} */
const skipped = [];

/** Names and options after the part's own name. */
const [name, ...words] = process.argv.slice(2).filter((word) => word !== '--install');

await script(async () => {
  const all = { ...parts, ...others };
  const chosen = name === undefined ? Object.entries(parts) : Object.entries(all).filter(([part]) => part === name);
  if (chosen.length === 0) throw new Failure(`there is no part ${name}; the parts are ${Object.keys(all).join(', ')}`);
  requireCompilers();
  await ensurePackages();
  for (const [part, test] of chosen) await unlessMissing(part, test);
  if (skipped.length > 0) throw new Failure(`These tests did not run:\n  ${skipped.join('\n  ')}`);
});

/**
 * Does something, and tells whether it was done: not if a tool is missing, which is then noted.
 * @param {string} tests that do not run without the tool
 * @param {() => Promise<void>} action
 */
async function unlessMissing(tests, action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    console.error(`\nSKIPPED: ${tests}: ${error.message}`);
    skipped.push(`${tests}: ${error.message}`);
    return false;
  }
}

/** Format, Clippy for all builds, and JavaScript and TypeScript everywhere. */
async function lint() {
  step('checking format and lints');
  await run('node_modules/.bin/biome', ['lint', '--error-on-warnings']);
  await run(process.execPath, ['scripts/cycles.mjs']);
  await run(process.execPath, ['scripts/code-shape.mjs']);
  await run(process.execPath, ['scripts/mutants.mjs', '--check']);
  await run('cargo', ['fmt', '--check']);
  await run('cargo', ['clippy', '--release', '--all-targets', '--features', 'bench', '--', '-D', 'warnings']);
  await run('cargo', ['clippy', '--lib', '--test', 'wasm', ...WASM, '--', '-D', 'warnings']);
  // A program without a model in it.
  await run('cargo', ['clippy', '--release', '--all-targets', ...WITHOUT_MODEL, '--', '-D', 'warnings']);
  // The code of the other builds.
  await run('cargo', ['clippy', '--lib', '--features', 'threads', ...WASM, '--', '-D', 'warnings', ...RELAXED.rustc]);
  await buildPackage();
  await run('node_modules/.bin/tsc', ['-p', 'scripts']);
  await checkDocs();
  await checkPackages();
}

/** All of cargo's tests, in the profile of the shipped program, which this builds too. */
async function rust() {
  step('testing the crate');
  await run('cargo', ['test', '--release']);
  programIsBuilt = true;
  step('testing kernels and readers with debug assertions and overflow checks');
  await run('cargo', ['test', '--lib', '--no-default-features', '--features', 'threads', '--', 'kernel', 'gguf', 'engine::batch']);
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
  await ensureTestRunner();
  step('testing the crate in WebAssembly');
  // The runner writes CommonJS into a temporary folder, where a package.json further up may say otherwise.
  const folder = join(ROOT, 'target/wasm-test');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  await run('cargo', ['test', '--test', 'wasm', ...WASM], { TMPDIR: folder });
}

/**
 * The packed package on the served page, in all browsers, or in those that are named: of these
 * Firefox runs all tests then, otherwise those that tell most.
 */
async function browser() {
  const names = /** @type {BrowserName[]} */ (words.length > 0 ? words : Object.keys(BROWSERS));
  const unknown = names.find((name) => !(name in BROWSERS));
  if (unknown) throw new Failure(`there is no browser ${unknown}; the browsers are ${Object.keys(BROWSERS).join(', ')}`);
  /** @type {BrowserName[]} */
  const found = [];
  for (const name of names) {
    if (await unlessMissing(`browser ${name}`, () => ensureBrowser(name))) found.push(name);
  }
  if (found.length === 0) return;
  await preparePage();
  await ensureBundlers();
  await ensureTestRunner();
  step('building the kernels\' tests for WebAssembly');
  await run('cargo', ['test', '--no-run', ...WASM_UNIT_TESTS]);
  step(`testing the page in ${found.join(', ')}`);
  await playwright(found, words.length > 0 ? { FIREFOX_TESTS: 'all' } : {});
}

/**
 * @param {string[]} projects of tests/browser/playwright.config.mjs
 * @param {NodeJS.ProcessEnv} [env]
 */
async function playwright(projects, env) {
  const chosen = projects.map((project) => `--project=${project}`);
  await run('node_modules/.bin/playwright', ['test', '--config', 'tests/browser/playwright.config.mjs', ...chosen], env);
}

async function preparePage() {
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
  const large = words.includes('--large');
  // One test at a time, or their tables would mix.
  const options = ['--nocapture', '--test-threads=1', ...(large ? ['--include-ignored'] : [])];
  await run('cargo', ['test', '--release', '--test', 'parity', '--', ...options]);
  if (!large) return;
  await ensureBrowser('chromium');
  await preparePage();
  await playwright(['large']);
}
