/** The copy of the tree that mutants are tried on, and its tests. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure, ROOT, output } from './run.mjs';

export const COPY = join(ROOT, 'target/mutants/tree');
const TARGET = join(ROOT, 'target/mutants/target');

/** A build with its tests that takes longer, in seconds, runs into what the mutant broke. */
const TIMEOUT = 600;

/** What the browser's tests need beside the tree: built once, from the source without mutants. Folders of dist/builds one by one, since tsc writes beside them. */
const BUILDS = ['simd128', 'simd128-threads', 'relaxed', 'relaxed-threads'].map((name) => `dist/builds/${name}`);
const BUILT = ['node_modules', 'target/bindings', 'target/release', ...BUILDS];

/** Brings the copy up to date; unchanged files keep their times, by which cargo tells what to build. */
export function copyTree() {
  const files = output('git', ['ls-files', '--cached', '--others', '--exclude-standard'])?.split('\n') ?? [];
  const present = files.filter((file) => existsSync(join(ROOT, file)));
  const wanted = new Set(present);
  const old = existsSync(COPY) ? readdirSync(COPY, { recursive: true, encoding: 'utf8' }) : [];
  for (const file of old) {
    const isBuilt = /^(node_modules|dist|target)\b/u.test(file);
    if (!isBuilt && !wanted.has(file) && statSync(join(COPY, file)).isFile()) rmSync(join(COPY, file));
  }
  for (const file of present) {
    const [from, to] = [join(ROOT, file), join(COPY, file)];
    if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) continue;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to);
  }
}

/**
 * Runs tests on the copy.
 * @param {string} tests a target of cargo's and filters of test names (`lib kernel::rope gguf::`, `native server::`), or
 *   `browser` and test files (`browser lifecycle`)
 * @returns {string[]} the names of those that failed, none if all passed
 */
export function failures(tests) {
  const [target = '', ...filters] = tests.split(' ');
  return target === 'browser' ? browserFailures(filters) : cargoFailures(target, filters);
}

/**
 * @param {string} target
 * @param {string[]} filters
 */
function cargoFailures(target, filters) {
  const choice = target === 'lib' ? ['--lib'] : ['--test', target];
  const { status, stdout, stderr } = start('cargo', ['test', ...choice, '--', ...filters], {
    CARGO_TARGET_DIR: TARGET, CARGO_PROFILE_TEST_OPT_LEVEL: '1', CARGO_INCREMENTAL: '1',
  });
  if (status === null) return ['(it never ends)'];
  if (/^error(\[E\d+\])?: (?!test failed)/mu.test(stderr)) throw new Failure(`it does not build:\n${stderr.slice(-2000)}`);
  const run = [...stdout.matchAll(/^running (\d+) tests?$/gmu)].reduce((sum, [, count]) => sum + Number(count), 0);
  if (run === 0) throw new Failure(`no test is named by: ${target} ${filters.join(' ')}`);
  const failed = [...stdout.matchAll(/^test (\S+).* FAILED$/gmu)].map(([, name = '']) => name);
  return status !== 0 && failed.length === 0 ? [`(the tests end with ${status})`] : failed;
}

/**
 * Compiles the TypeScript, packs the package and runs test files in Chromium.
 * @param {string[]} files their names without `.test.mjs`
 */
function browserFailures(files) {
  for (const path of BUILT) link(path);
  // What a mutant leaves unused is no fault here.
  const compiled = start('node_modules/.bin/tsc', ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false']);
  if (compiled.status !== 0) throw new Failure(`it does not compile:\n${compiled.stdout.slice(-2000)}`);
  const page = start(process.execPath, ['-e', "import('./scripts/page.mjs').then(({ assemblePage }) => assemblePage())"]);
  if (page.status !== 0) throw new Failure(`the page cannot be assembled:\n${page.stderr.slice(-2000)}`);
  const { status, stdout } = start('node_modules/.bin/playwright', [
    'test', '--config', 'tests/browser/playwright.config.mjs', '--project', 'chromium', '--reporter', 'json',
    ...files.map((name) => `${name}.test.mjs`),
  ]);
  if (status === null) return ['(it never ends)'];
  const failed = [...stdout.matchAll(/"title": "(.*)",\n\s*"ok": false/gu)].map(([, title = '']) => title);
  return status !== 0 && failed.length === 0 ? [`(the tests end with ${status})`] : failed;
}

/**
 * Shows the copy what was built in the tree itself.
 * @param {string} path
 */
function link(path) {
  const [from, to] = [join(ROOT, path), join(COPY, path)];
  if (!existsSync(from)) throw new Failure(`there is no ${path}; run npm run test:browser first`);
  if (existsSync(to)) return;
  mkdirSync(dirname(to), { recursive: true });
  symlinkSync(from, to);
}

/**
 * Runs a program on the copy.
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ status: number | null, stdout: string, stderr: string }} null if it took too long
 */
function start(program, args, env = {}) {
  // By a shell that limits each process's time: the end of cargo does not end its tests.
  const { status, stdout, stderr, error } = spawnSync('sh', ['-c', `ulimit -t ${TIMEOUT}; exec "$0" "$@"`, program, ...args], {
    cwd: COPY, encoding: 'utf8', maxBuffer: 1 << 28, timeout: TIMEOUT * 1000, env: { ...process.env, ...env },
  });
  if (error && !('code' in error && error.code === 'ETIMEDOUT')) throw error;
  return { status: error ? null : status, stdout, stderr };
}
