/**
 * Fails when files of `src` import one another in a circle, when a lower layer imports a higher one,
 * or when a file imports by way of its own ancestor what that only re-exports from a sibling.
 *
 * A Rust file imports another when a `use` or a path in it leads there, re-exports followed to the file that
 * defines the item; items that only tests have are left out. `node scripts/cycles.mjs [folder]`.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { tokens, withoutTests } from './rust-source.mjs';
import { Failure, ROOT, script } from './run.mjs';

/** Folders and files of `src` from low to high: each may import what stands before it, and none of its own row. */
const LAYERS = ['error', 'gguf', 'kernel', 'api', 'prompt', 'model', 'engine', 'convert eval', 'server wasm', 'cli'].map(
  (row) => row.split(' '),
);

/** @typedef {{ path: string[], name: string, line: number, exported: boolean }} Use a path, and the name that it has here */
/** @typedef {{ file: string, path: string[], uses: Use[], paths: Use[], hidden: string[] }} Module */
/** @typedef {{ from: string, to: string, line: number, what: string }} Edge */

/**
 * The leaves of a use tree.
 * @param {import('./rust-source.mjs').Token[]} list
 * @param {number} at
 * @param {string[]} prefix
 * @param {(path: string[], name: string) => void} found
 * @returns {number} where the tree ends
 */
function useTree(list, at, prefix, found) {
  const path = [...prefix];
  for (; at < list.length; at += 1) {
    const { text } = /** @type {import('./rust-source.mjs').Token} */ (list[at]);
    if (text === '{') {
      do at = useTree(list, at + 1, path, found);
      while (list[at]?.text === ',');
      return at + 1;
    }
    if (text === 'as') {
      found(path, list[at + 1]?.text ?? '');
      return at + 2;
    }
    if (',;}'.includes(text)) break;
    // `use a::b::{self}` names `a::b`.
    if (text !== '::' && !(text === 'self' && path.length > 0)) path.push(text);
  }
  if (path.length > prefix.length || list[at - 1]?.text === 'self') found(path, path.at(-1) ?? '');
  return at;
}

/**
 * What a file imports and which paths it follows; `super` inside a module written in the file means the file.
 * @param {string} file
 * @param {string[]} path
 * @returns {Module}
 */
function readModule(file, path) {
  const { kept, modules } = withoutTests(tokens(readFileSync(file, 'utf8')));
  /** @type {Module} */
  const module = { file, path, uses: [], paths: [], hidden: modules };
  let [depth, inside] = [0, /** @type {number[]} */ ([])];
  for (let at = 0; at < kept.length; at += 1) {
    const { text, line } = /** @type {import('./rust-source.mjs').Token} */ (kept[at]);
    if (text === 'mod' && kept[at + 2]?.text === '{') inside.push(depth + 1);
    if (text === '{') depth += 1;
    if (text === '}' && inside.at(-1) === depth--) inside.pop();
    const local = (/** @type {string[]} */ words) => (inside.length > 0 && words[0] === 'super' ? words.slice(1) : words);
    if (text === 'use' && kept[at - 1]?.text !== 'self') {
      const before = kept[at - 1]?.text;
      const exported = before === 'pub' || before === ')';
      at = useTree(kept, at + 1, [], (words, name) => module.uses.push({ path: local(words), name, line, exported }));
    } else if (kept[at + 1]?.text === '::' && kept[at - 1]?.text !== '::') {
      const words = [text];
      while (kept[at + 1]?.text === '::' && /^\w/u.test(kept[at + 2]?.text ?? '')) words.push(kept[(at += 2)]?.text ?? '');
      module.paths.push({ path: local(words), name: '', line, exported: false });
    }
  }
  return module;
}

/**
 * Every module of a crate, by its path.
 * @param {string} source
 */
function readCrate(source) {
  /** @type {Map<string, Module>} */
  const crate = new Map();
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs')).sort();
  for (const name of files) {
    const words = name.replace(/\.rs$/u, '').split('/');
    if (['mod', 'lib'].includes(words.at(-1) ?? '')) words.pop();
    crate.set(words.join('::'), readModule(join(source, name), words));
  }
  for (const { path, hidden } of [...crate.values()]) {
    for (const name of hidden) {
      const root = [...path, name].join('::');
      for (const key of [...crate.keys()]) if (key === root || key.startsWith(`${root}::`)) crate.delete(key);
    }
  }
  return crate;
}

/**
 * The module that defines what a path names, and those whose re-exports led there; null for other crates and for modules alone.
 * @param {Map<string, Module>} crate
 * @param {Module} from
 * @param {string[]} path
 * @param {Set<string>} [seen]
 * @returns {{ module: Module, by: Module[] } | null}
 */
function resolve(crate, from, path, seen = new Set()) {
  let at = from;
  let rest = path;
  if (rest[0] === 'crate' || rest[0] === 'qwen3_rerank') [at, rest] = [/** @type {Module} */ (crate.get('')), rest.slice(1)];
  else if (rest[0] === 'self') rest = rest.slice(1);
  const rooted = rest.length < path.length || rest[0] === 'super';
  for (; rest[0] === 'super'; rest = rest.slice(1)) at = crate.get(at.path.slice(0, -1).join('::')) ?? at;
  for (let [step, first] = [0, rest[0]]; first !== undefined; step += 1, [first] = (rest = rest.slice(1))) {
    const child = crate.get([...at.path, first].join('::'));
    if (child) {
      at = child;
      continue;
    }
    const used = at.uses.find(({ name }) => name === first);
    const key = `${at.file}: ${first}`;
    if (used && !seen.has(key)) {
      const end = resolve(crate, at, [...used.path, ...rest.slice(1)], seen.add(key));
      return end && { module: end.module, by: at === from && !rooted ? end.by : [at, ...end.by] };
    }
    // A name of its own, or of another crate.
    return step > 0 || rooted ? { module: at, by: [] } : null;
  }
  return null;
}

/**
 * @param {string} source
 * @returns {{ edges: Edge[], detours: string[] }}
 */
function rustEdges(source) {
  const crate = readCrate(source);
  /** @type {Edge[]} */
  const edges = [];
  /** @type {Set<string>} */
  const detours = new Set();
  const show = (/** @type {Module} */ module) => relative(source, module.file);
  for (const from of crate.values()) {
    for (const { path, line, exported, name } of [...from.uses, ...from.paths]) {
      const end = resolve(crate, from, path);
      if (!end) continue;
      if (end.module !== from) edges.push({ from: show(from), to: show(end.module), line, what: path.join('::') });
      const detour = end.by.find((by) => by !== from && by.path.every((name, at) => from.path[at] === name) && end.module !== by);
      if (detour && name && !exported && basename(detour.file) !== 'lib.rs') {
        detours.add(`detour: ${show(from)}:${line}: ${path[0]}::${path[1]} comes by ${show(detour)}: import it from ${show(end.module)}`);
      }
    }
  }
  return { edges, detours: [...detours] };
}

/**
 * The imports among a folder's TypeScript or JavaScript files.
 * @param {string} source
 * @returns {Edge[]}
 */
function scriptEdges(source) {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|mjs|js)$/u.test(name));
  return files.flatMap((from) =>
    readFileSync(join(source, from), 'utf8').split('\n').flatMap((text, index) => {
      const target = text.match(/(?:from|import)\s*\(?\s*'(\.[^']+)'/u)?.[1];
      const to = target && join(dirname(from), target).replace(/\.js$/u, existsSync(join(source, dirname(from), target)) ? '.js' : '.ts');
      return to && files.includes(to) ? [{ from, to, line: index + 1, what: target }] : [];
    }),
  );
}

/**
 * Groups of files that reach one another, by Tarjan's algorithm.
 * @param {Edge[]} edges
 * @returns {string[][]}
 */
export function circles(edges) {
  /** @type {Map<string, number>} */
  const low = new Map();
  /** @type {string[]} */
  const stack = [];
  /** @type {string[][]} */
  const found = [];
  const visit = (/** @type {string} */ node) => {
    const index = low.size;
    low.set(node, index);
    stack.push(node);
    let least = index;
    for (const { to } of edges.filter(({ from }) => from === node)) {
      if (!low.has(to)) least = Math.min(least, visit(to));
      else if (stack.includes(to)) least = Math.min(least, low.get(to) ?? least);
    }
    low.set(node, least);
    if (least === index) {
      const group = stack.splice(stack.indexOf(node));
      if (group.length > 1) found.push(group.sort());
    }
    return least;
  };
  for (const { from } of edges) if (!low.has(from)) visit(from);
  return found;
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
  for (const { from, to, line, what } of edges) (names[`${from} → ${to}`] ??= new Set([`line ${line}`])).add(what);
  return Object.entries(names).map(([pair, words]) => `${pair}: ${[...words].slice(0, 6).join(', ')}`);
}

await script(async () => {
  const source = process.argv[2] ?? join(ROOT, 'src');
  const { edges, detours } = rustEdges(source);
  const all = [edges, ofFolders(edges), ...['js', '../scripts'].map((name) => join(source, name)).filter(existsSync).map(scriptEdges)];
  const faults = all.flatMap((some) =>
    circles(some).map((group) => {
      const inside = some.filter(({ from, to }) => group.includes(from) && group.includes(to) && from !== to);
      return `a circle of ${group.join(', ')}:\n  ${summary(inside).join('\n  ')}`;
    }),
  );
  faults.push(...summary(upward(edges)).map((text) => `upward: ${text}`), ...detours);
  if (faults.length > 0) throw new Failure(faults.join('\n'));
  console.log(`no circles: ${edges.length} imports of ${new Set(edges.map(({ from }) => from)).size} Rust files`);
});
