/** The native program: its server for the pages under test, and its scores to compare with. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export const ROOT = new URL('../../', import.meta.url);
/** A model that is not the default one. */
export const UNTRAINED = 'tests/fixtures/qwen3-rerank-untrained.gguf';
export const SEEDS = JSON.parse(readFileSync(new URL('tests/fixtures/seeds.json', ROOT), 'utf8'));
export const PROGRAM = 'target/release/qwen3-rerank';

/**
 * Serves a page on a free port.
 * @param {string} [folder] the page's
 */
export async function startServer(folder = 'target/page') {
  const server = spawn(PROGRAM, ['serve', '--page', folder, '--port', '0'], { cwd: ROOT });
  return { address: await addressOf(server), stop: () => server.kill() };
}

/**
 * The address that a server prints once it listens.
 * @param {import('node:child_process').ChildProcessWithoutNullStreams} server
 * @returns {Promise<string>}
 */
export function addressOf(server) {
  return new Promise((resolve, reject) => {
    let printed = '';
    const read = (/** @type {Buffer} */ chunk) => {
      printed += chunk;
      const address = printed.match(/http:\/\/[\w.:[\]]+/);
      if (address) resolve(address[0]);
    };
    server.stdout.on('data', read);
    server.stderr.on('data', read);
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${printed}`)));
    server.on('error', reject);
  });
}

/**
 * Scores of the native command line, in the order of `documents`; of the default model unless one is named.
 * @param {string} query
 * @param {string[]} documents
 * @param {string} [model]
 * @returns {number[]}
 */
export function nativeScores(query, documents, model) {
  const lines = documents.map((document) => JSON.stringify({ query, document })).join('\n');
  const answer = execFileSync(PROGRAM, ['score', ...(model ? ['--model', model] : [])], { cwd: ROOT, input: lines, encoding: 'utf8' });
  return answer.trim().split('\n').map((line) => JSON.parse(line).score);
}
