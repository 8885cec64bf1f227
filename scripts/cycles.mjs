/**
 * Fails when files of `src` import one another in a circle, when a lower layer imports a higher one,
 * or when a file imports by way of its own ancestor what that only re-exports from a sibling.
 *
 * A file imports another when a `use` or a path in it leads there, re-exports followed to the file that defines
 * the item; what only tests import is left out. `node scripts/cycles.mjs [folder]`.
 *
 * Ours in place of cargo-modules, which is built on rust-analyzer: 280 crates to compile before the first check.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rustImports } from './rust-imports.mjs';
import { Failure, ROOT, script } from './run.mjs';

/** @typedef {import('./rust-imports.mjs').Edge} Edge */

/** Folders and files of `src` from low to high: each may import what stands before it, and nothing else of its own row. */
const LAYERS = ['error input_file', 'gguf', 'kernel', 'api', 'prompt', 'model', 'engine', 'convert eval', 'server wasm', 'cli'].map(
  (row) => row.split(' '),
);

/**
 * The imports among a folder's TypeScript or JavaScript files.
 * @param {string} source
 * @returns {Edge[]}
 */
function scriptImports(source) {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|mjs|js)$/u.test(name));
  return files.flatMap((from) =>
    readFileSync(join(source, from), 'utf8').split('\n').flatMap((text, index) => {
      const what = text.match(/(?:from|import)\s*\(?\s*'(\.[^']+)'/u)?.[1];
      if (!what) return [];
      const to = [what, what.replace(/\.js$/u, '.ts')].map((name) => join(dirname(from), name)).find((name) => files.includes(name));
      return to ? [{ from, to, line: index + 1, what }] : [];
    }),
  );
}

/** Groups of files that reach one another (Tarjan, 1972). */
class Circles {
  /** @type {string[][]} */
  found = [];
  /** By file, the first of its group that was seen. @type {Map<string, number>} */
  #low = new Map();
  /** @type {string[]} */
  #stack = [];

  /** @param {Edge[]} edges */
  constructor(edges) {
    const targets = grouped(edges);
    for (const from of targets.keys()) if (!this.#low.has(from)) this.#visit(from, targets);
  }

  /**
   * @param {string} node
   * @param {Map<string, Edge[]>} targets
   * @returns {number}
   */
  #visit(node, targets) {
    const index = this.#low.size;
    let least = index;
    this.#low.set(node, index);
    this.#stack.push(node);
    for (const { to } of targets.get(node) ?? []) {
      const seen = this.#low.get(to);
      if (seen === undefined) least = Math.min(least, this.#visit(to, targets));
      else if (this.#stack.includes(to)) least = Math.min(least, seen);
    }
    this.#low.set(node, least);
    if (least < index) return least;
    const group = this.#stack.splice(this.#stack.indexOf(node));
    if (group.length > 1) this.found.push(group.sort());
    return least;
  }
}

/**
 * By the file that imports.
 * @param {Edge[]} edges
 */
function grouped(edges) {
  /** @type {Map<string, Edge[]>} */
  const groups = new Map();
  for (const edge of edges) groups.set(edge.from, [...(groups.get(edge.from) ?? []), edge]);
  return groups;
}

/**
 * Imports among the folders and files that lie in `src` itself; the crate's roots name them all and are left out.
 * @param {Edge[]} edges
 * @returns {Edge[]}
 */
function ofFolders(edges) {
  const top = (/** @type {string} */ file) => file.replace(/(\.rs|\/.*)$/u, '');
  return edges
    .map((edge) => ({ ...edge, from: top(edge.from), to: top(edge.to) }))
    .filter(({ from, to }) => from !== to && ![from, to].some((name) => ['lib', 'main'].includes(name)));
}

/**
 * Imports against the order of layers.
 * @param {Edge[]} edges
 */
function upward(edges) {
  const layer = (/** @type {string} */ file) => (file.split('/')[0] ?? '').replace(/\.rs$/u, '');
  const height = (/** @type {string} */ name) => LAYERS.findIndex((row) => row.includes(name));
  return edges.filter(({ from, to }) => {
    const [a, b] = [layer(from), layer(to)];
    return a !== b && height(a) >= 0 && (height(b) >= height(a) || to === 'lib.rs');
  });
}

/**
 * A line for each two files, with the names that one has of the other.
 * @param {Edge[]} edges
 */
function summary(edges) {
  /** @type {Record<string, Set<string>>} */
  const names = {};
  for (const { from, to, line, what } of edges) {
    const pair = `${from} → ${to}`;
    names[pair] ??= new Set([`line ${line}`]);
    names[pair].add(what);
  }
  return Object.entries(names).map(([pair, words]) => `${pair}: ${[...words].slice(0, 6).join(', ')}`);
}

/**
 * @param {Edge[]} edges
 * @returns {string[]}
 */
function circles(edges) {
  return new Circles(edges).found.map((group) => {
    const inside = edges.filter(({ from, to }) => group.includes(from) && group.includes(to) && from !== to);
    return `a circle of ${group.join(', ')}:\n  ${summary(inside).join('\n  ')}`;
  });
}

await script(async () => {
  const source = process.argv[2] ?? join(ROOT, 'src');
  const { edges, detours } = rustImports(source);
  const scripts = ['js', '../scripts'].map((name) => join(source, name)).filter(existsSync).map(scriptImports);
  const faults = [edges, ofFolders(edges), ...scripts].flatMap(circles);
  faults.push(...summary(upward(edges)).map((text) => `upward: ${text}`), ...detours);
  if (faults.length > 0) throw new Failure(faults.join('\n'));
  const files = new Set(edges.map(({ from }) => from)).size;
  console.log(`no circles among ${edges.length} imports of ${files} Rust files, nor among ${scripts.flat().length} of scripts`);
});
