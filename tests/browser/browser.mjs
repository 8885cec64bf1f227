/** A served page in a real browser, for one test file. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { CHROMIUM, CHROMIUM_FLAGS } from '../../scripts/toolchain.mjs';

export const ROOT = new URL('../../', import.meta.url);
/** A model that is not the default one. */
export const UNTRAINED = 'tests/fixtures/qwen3-rerank-untrained.gguf';
export const SEEDS = JSON.parse(readFileSync(new URL('tests/fixtures/seeds.json', ROOT), 'utf8'));

const PROGRAM = 'target/release/qwen3-rerank';

/**
 * Starts server and browser.
 * @param {string} [folder] the page's
 * @returns what tests need: the address, a way to open pages, and the end of it all
 */
export async function start(folder = 'target/page') {
  const server = spawn(PROGRAM, ['serve', '--page', folder, '--port', '0'], { cwd: ROOT });
  const address = await addressOf(server);
  const browser = await launch();
  return {
    address,
    browser,
    /** Opens the page; what it complains of on its console fails the test that asks `faults`. */
    async open(options = {}) {
      const page = await browser.newPage(options);
      /** @type {string[]} */
      const faults = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await page.goto(address);
      return { page, faults };
    },
    async stop() {
      await browser.close();
      server.kill();
    },
  };
}

/** A browser without a page. */
export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_FLAGS });
}

/**
 * The address that the server prints once it listens.
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
