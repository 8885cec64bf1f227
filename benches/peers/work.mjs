/** The files and texts that benchmarks run on, and statistics of their times. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensureBrowser } from '../../scripts/browsers.mjs';
import { buildNative, buildPackage } from '../../scripts/build.mjs';
import { Failure, ROOT, output, run, step } from '../../scripts/run.mjs';

/** Where benchmarks put built and installed files. */
export const FOLDER = 'target/bench';

/** The native program. */
export const PROGRAM = 'target/release/qwen3-rerank';

/**
 * One request.
 * @typedef {object} Request
 * @property {string} instruction
 * @property {string} query
 * @property {string[]} documents
 * @property {string[]} prompts the documents' whole prompts
 * @property {number[][]} ids the same as ids
 * @property {string} [own] where one prompt is measured: a document with as many tokens of its own, and what
 *   follows it, as that prompt has in all
 *
 * What is measured, by run: prompts of exactly `tokens` tokens alone, and whole requests.
 * @typedef {{ prompts: Request[], requests: Request[] }} Texts
 *
 * What every benchmark takes.
 * @typedef {{ tokens: number, documents: number, runs: number, json: boolean }} Options
 */

/** The options of `parseArgs` that every benchmark takes. */
export const OPTIONS = /** @type {const} */ ({
  model: { type: 'string' },
  tokens: { type: 'string', default: '128' },
  documents: { type: 'string', default: '10' },
  runs: { type: 'string', default: '5' },
  json: { type: 'boolean', default: false },
});

/**
 * A count from the command line.
 * @param {string} flag
 * @param {string} text
 * @param {number} most
 */
export function count(flag, text, most) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Failure(`--${flag} ${text}: must be a whole number from 1 to ${most}`);
}

/**
 * @param {{ tokens: string, documents: string, runs: string, json: boolean }} values
 * @returns {Options}
 */
export function readOptions(values) {
  return {
    tokens: count('tokens', values.tokens, 40_960),
    documents: count('documents', values.documents, 10_000),
    runs: count('runs', values.runs, 1000),
    json: values.json,
  };
}

/**
 * Prints the report: as JSON, which is then the only output on stdout, or by `print`.
 * @template T
 * @param {boolean} json
 * @param {() => Promise<T>} measure
 * @param {(report: T) => void} print
 */
export async function answer(json, measure, print) {
  const { log } = console;
  if (json) console.log = console.error;
  const report = await measure();
  if (json) log(JSON.stringify(report, null, 2));
  else print(report);
}

/** Builds the native program, which also generates the texts, and the package as npm would publish it. */
export async function prepare() {
  await ensureBrowser('chromium');
  await buildPackage();
  await buildNative();
  step('unpacking the package');
  const folder = join(ROOT, FOLDER, 'package');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const packed = output('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', FOLDER]);
  if (packed === null) throw new Failure('npm pack failed');
  await run('tar', ['-xzf', join(FOLDER, packed), '--strip-components=1', '-C', folder]);
}

/**
 * The absolute path of a model file, given relative to the caller's folder or to the repository's root.
 * @param {string} file
 */
export function requireModel(file) {
  const found = [resolve(file), join(ROOT, file)].find((path) => existsSync(path));
  if (found === undefined) throw new Failure(`--model ${file}: no such file`);
  return found;
}

/**
 * A model of the shape of Qwen3-Reranker-0.6B with random weights, made if it is not there.
 * @param {string} type of its matrices, as `qwen3-rerank random` names it
 */
export async function randomModel(type) {
  const file = join(FOLDER, `0.6b-${type}.gguf`);
  if (existsSync(join(ROOT, file))) return file;
  step(`making ${file}`);
  mkdirSync(join(ROOT, FOLDER), { recursive: true });
  await run(PROGRAM, ['random', '--shape', '0.6b', '--type', type, '--seed', '1', `${file}.part`]);
  renameSync(join(ROOT, `${file}.part`), join(ROOT, file));
  return file;
}

/**
 * The texts of `qwen3-rerank bench` for the same numbers.
 * @param {string} file
 * @param {{ tokens: number, documents: number, runs: number }} numbers
 * @returns {Texts}
 */
export function texts(file, { tokens, documents, runs }) {
  const numbers = ['--tokens', tokens, '--documents', documents, '--runs', runs].map(String);
  const { status, stdout, stderr } = spawnSync(PROGRAM, ['bench', '--texts', '--model', file, ...numbers], {
    cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 29,
  });
  if (status !== 0) throw new Failure(stderr.trim().replace(/^error: /, '') || `${PROGRAM} failed`);
  return JSON.parse(stdout);
}

/**
 * The middle value, or the mean of the middle two.
 * @param {number[]} values
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const last = sorted.length - 1;
  return ((sorted[Math.floor(last / 2)] ?? NaN) + (sorted[Math.ceil(last / 2)] ?? NaN)) / 2;
}

/**
 * Least and greatest.
 * @param {number[]} values
 * @returns {[number, number]}
 */
export function spread(values) {
  return [Math.min(...values), Math.max(...values)];
}
