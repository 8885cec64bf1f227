/** Which Rust file imports which: paths of `use` and of expressions, followed to the file that defines the item. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { tokens, withoutTests } from './rust-source.mjs';

/** @typedef {import('./rust-source.mjs').Token} Token */
/** @typedef {{ path: string[], name: string, line: number, exported: boolean }} Use a path, and the name that a `use` gives it */
/** @typedef {{ file: string, path: string[], uses: Use[], paths: Use[], hidden: string[] }} Module */
/** @typedef {{ from: string, to: string, line: number, what: string }} Edge */

/**
 * The leaves of a use tree.
 * @param {Token[]} list
 * @param {number} start
 * @param {string[]} prefix
 * @param {(path: string[], name: string) => void} found
 * @returns {number} the token behind the tree
 */
function useTree(list, start, prefix, found) {
  let at = start;
  const words = [...prefix];
  for (; !',;}'.includes(list[at]?.text ?? ';'); at += 1) {
    const text = list[at]?.text ?? '';
    if (text === '{') return useGroup(list, at, words, found);
    if (text === 'as') {
      found(words, list[at + 1]?.text ?? '');
      return at + 2;
    }
    if (text !== '::') words.push(text);
  }
  // `use a::b::{self}` names `a::b`.
  if (words.at(-1) === 'self' && words.length > 1) words.pop();
  if (at > start) found(words, words.at(-1) ?? '');
  return at;
}

/**
 * The trees in braces.
 * @param {Token[]} list
 * @param {number} start at the brace
 * @param {string[]} prefix
 * @param {(path: string[], name: string) => void} found
 */
function useGroup(list, start, prefix, found) {
  let at = start;
  do at = useTree(list, at + 1, prefix, found);
  while (list[at]?.text === ',');
  return at + 1;
}

/** Walks through a module's tokens and gathers what it imports. */
class Gatherer {
  /** @type {Use[]} */
  uses = [];
  /** @type {Use[]} */
  paths = [];
  #depth = 0;
  /** Depths of the modules written in the file that are open: in them `super` is the file. @type {number[]} */
  #inner = [];

  /** @param {Token[]} list */
  constructor(list) {
    for (let at = 0; at < list.length; ) at = this.#next(list, at);
  }

  /**
   * @param {Token[]} list
   * @param {number} at
   * @returns {number} the next token to look at
   */
  #next(list, at) {
    const [before, { text, line }, after] = [list[at - 1]?.text, /** @type {Token} */ (list[at]), list[at + 1]?.text];
    this.#count(text, text === 'mod' && list[at + 2]?.text === '{');
    if (text === 'use') {
      const exported = before === 'pub' || before === ')';
      return useTree(list, at + 1, [], (path, name) => this.uses.push({ path: this.#local(path), name, line, exported }));
    }
    if (after !== '::' || before === '::') return at + 1;
    const words = [text];
    let end = at + 1;
    for (; list[end]?.text === '::' && /^\w/u.test(list[end + 1]?.text ?? ''); end += 2) words.push(list[end + 1]?.text ?? '');
    this.paths.push({ path: this.#local(words), name: '', line, exported: false });
    return end;
  }

  /**
   * @param {string} text
   * @param {boolean} opensModule
   */
  #count(text, opensModule) {
    if (opensModule) this.#inner.push(this.#depth + 1);
    if (text === '{') this.#depth += 1;
    if (text !== '}') return;
    if (this.#inner.at(-1) === this.#depth) this.#inner.pop();
    this.#depth -= 1;
  }

  /** @param {string[]} path */
  #local(path) {
    return this.#inner.length > 0 && path[0] === 'super' ? path.slice(1) : path;
  }
}

/**
 * Every module of a crate by its path, those of tests left out.
 * @param {string} source
 */
function readCrate(source) {
  /** @type {Map<string, Module>} */
  const crate = new Map();
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs')).sort();
  for (const name of files) {
    const path = name.replace(/\.rs$/u, '').split('/');
    if (['mod', 'lib'].includes(path.at(-1) ?? '')) path.pop();
    const file = join(source, name);
    const { kept, modules } = withoutTests(tokens(readFileSync(file, 'utf8')));
    const { uses, paths } = new Gatherer(kept);
    crate.set(path.join('::'), { file, path, uses, paths, hidden: modules });
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
 * Where a path starts: its module, and what is left of it.
 * @param {Map<string, Module>} crate
 * @param {Module} from
 * @param {string[]} path
 */
function startOf(crate, from, path) {
  if (path[0] === 'crate' || path[0] === 'qwen3_rerank') return { at: /** @type {Module} */ (crate.get('')), rest: path.slice(1) };
  let [at, rest] = [from, path[0] === 'self' ? path.slice(1) : path];
  for (; rest[0] === 'super'; rest = rest.slice(1)) at = crate.get(at.path.slice(0, -1).join('::')) ?? at;
  return { at, rest };
}

/**
 * The module that defines what a path names, and those whose `use` led there; null for other crates and for modules alone.
 * @param {Map<string, Module>} crate
 * @param {Module} from
 * @param {string[]} path
 * @param {Set<string>} [seen]
 * @returns {{ module: Module, by: Module[] } | null}
 */
function resolve(crate, from, path, seen = new Set()) {
  let { at, rest } = startOf(crate, from, path);
  const known = rest.length < path.length;
  for (let child = crate.get([...at.path, rest[0]].join('::')); child && rest.length > 0; child = crate.get([...at.path, rest[0]].join('::'))) {
    [at, rest] = [child, rest.slice(1)];
  }
  if (rest.length === 0) return null;
  const used = at.uses.find(({ name }) => name === rest[0]);
  const key = `${at.file}: ${rest[0]}`;
  if (used && !seen.has(key)) {
    const end = resolve(crate, at, [...used.path, ...rest.slice(1)], seen.add(key));
    return end && { module: end.module, by: at === from && !known ? end.by : [at, ...end.by] };
  }
  // What a module does not import is its own, or, where no module was named, of another crate.
  return known || rest.length < path.length ? { module: at, by: [] } : null;
}

/**
 * @param {string} source
 * @returns {{ edges: Edge[], detours: string[] }} the imports, and those that go by an ancestor's re-export
 */
export function rustImports(source) {
  const crate = readCrate(source);
  /** @type {Edge[]} */
  const edges = [];
  /** @type {Set<string>} */
  const detours = new Set();
  const show = (/** @type {Module} */ module) => relative(source, module.file);
  for (const from of crate.values()) {
    for (const { path, line, name, exported } of [...from.uses, ...from.paths]) {
      const end = resolve(crate, from, path);
      if (!end || end.module === from) continue;
      edges.push({ from: show(from), to: show(end.module), line, what: path.join('::') });
      const isAncestor = (/** @type {Module} */ by) => by.path.length > 0 && by.path.every((part, at) => from.path[at] === part);
      const detour = end.by.find((by) => by !== from && by !== end.module && isAncestor(by));
      if (detour && name && !exported) {
        detours.add(`detour: ${show(from)}:${line}: ${path.join('::')} comes by ${show(detour)}: import it from ${show(end.module)}`);
      }
    }
  }
  return { edges, detours: [...detours] };
}
