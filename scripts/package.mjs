/**
 * `npm run lint:package`: what cargo and npm would publish is complete, small enough, and can be read again.
 * With `--verify` the crate is also built from its package, as a registry's user builds it.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Failure, ROOT, output, run, script, step } from './run.mjs';

/** Most bytes of a crate that crates.io takes. */
const CRATE_LIMIT = 10 * 2 ** 20;

/** Most bytes of the npm package, most of which is the default model. */
const NPM_LIMIT = 20 * 2 ** 20;

/** Files without which the npm package does not work. */
const NPM_FILES = ['dist/index.js', 'dist/index.d.ts', 'models/qwen3-rerank-nano-q8_0.gguf', 'README.md', 'LICENSE-MIT', 'LICENSE-APACHE'];

const FOLDER = 'target/package';

/** Checks both packages. Nothing is sent anywhere. */
export async function checkPackages() {
  await checkCrate(process.argv.includes('--verify'));
  checkNpm();
}

/** @param {boolean} verify build the crate from its package */
async function checkCrate(verify) {
  step('packaging the crate');
  rmSync(join(ROOT, FOLDER), { recursive: true, force: true });
  // --allow-dirty, since this runs before a commit too.
  await run('cargo', ['publish', '--dry-run', '--allow-dirty', ...(verify ? [] : ['--no-verify'])]);
  const files = readdirSync(join(ROOT, FOLDER), { recursive: true, encoding: 'utf8' });
  const file = files.find((name) => name.endsWith('.crate'));
  if (!file) throw new Failure(`cargo left no package in ${FOLDER}`);
  checkSize(basename(file), statSync(join(ROOT, FOLDER, file)).size, CRATE_LIMIT);
}

function checkNpm() {
  step('packaging the npm package');
  // A version that is published already cannot be published, but packed.
  const printed = npm(['publish']) ?? npm(['pack']);
  if (printed === null) throw new Failure('npm publish --dry-run --ignore-scripts failed; run it to see why');
  // npm publish puts the report below the package's name, npm pack into a list.
  const report = printed.files ? printed : Object.values(printed)[0];
  const paths = report.files.map((/** @type {{ path: string }} */ { path }) => path);
  const missing = NPM_FILES.filter((path) => !paths.includes(path));
  if (missing.length > 0) throw new Failure(`the npm package lacks ${missing.join(', ')}; npm run build makes dist/`);
  checkSize(report.filename, report.size, NPM_LIMIT);
}

/**
 * What npm's command would do, or null if it refuses.
 * @param {string[]} command
 */
function npm(command) {
  const json = output('npm', [...command, '--dry-run', '--json', '--ignore-scripts']);
  return json === null ? null : JSON.parse(json);
}

/**
 * @param {string} name
 * @param {number} size
 * @param {number} limit
 */
function checkSize(name, size, limit) {
  const sizes = `${name}: ${(size / 2 ** 20).toFixed(2)} MiB; at most ${limit / 2 ** 20}`;
  if (size > limit) throw new Failure(sizes);
  console.log(sizes);
}

if (process.argv[1] === import.meta.filename) await script(checkPackages);
