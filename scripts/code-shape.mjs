/**
 * Fails when functions or files of `src` grow past what one screen shows. A function counts from its first line to
 * its closing brace, tests' functions too; files count whole. `node scripts/code-shape.mjs [folder]`.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { endOfItem, tokens } from './rust-source.mjs';
import { Failure, ROOT, script } from './run.mjs';

/** The most lines that each may have. */
const LIMITS = { median: 9, p90: 25, longest: 60, file: 400 };

/** @typedef {{ lines: number, where: string }} Length */

/**
 * Every function that has a body.
 * @param {string} source
 * @param {string} file
 * @returns {Length[]}
 */
function rustFunctions(source, file) {
  const list = tokens(source);
  return list.flatMap(({ text, line }, start) => {
    const name = list[start + 1]?.text ?? '';
    // `fn(f32) -> f32` is a type.
    if (text !== 'fn' || !/^\w/u.test(name)) return [];
    const last = list[endOfItem(list, start) - 1];
    return last?.text === '}' ? [{ lines: last.line - line + 1, where: `${file}:${line} ${name}` }] : [];
  });
}

/** The first line of a function, a method or an arrow function that has a name. */
const HEAD = /^(\s*)(?:export |default |async |static |private |protected |public |override |get |set |\*)*(?:function\*?\s+(\w+)|(?:const|let)\s+(\w+)[^=]*=\s*(?:async\s*)?(?:function\b|\(.*(?:=>\s*\{|[(,])$)|(?!if|for|while|switch|return|catch|await|super|new|typeof|void|expect|throw)(#?\w+)(?:<[^(]*>)?\((?:[^;]*\{|[^;)]*)$)/u;

/**
 * Functions of TypeScript, by their indentation.
 * @param {string} source
 * @param {string} file
 * @returns {Length[]}
 */
function scriptFunctions(source, file) {
  const lines = source.split('\n');
  return lines.flatMap((text, start) => {
    const [, indent = '', ...names] = text.match(HEAD) ?? [];
    const name = names.find(Boolean);
    if (!name) return [];
    const length = lines.slice(start).findIndex((line) => line.startsWith(`${indent}}`));
    const called = lines.slice(start).findIndex((line) => line.startsWith(`${indent})`) && line.endsWith(';'));
    if (length < 0 || (called >= 0 && called < length)) return [];
    return [{ lines: length + 1, where: `${file}:${start + 1} ${name}` }];
  });
}

/**
 * @param {Length[]} lengths from short to long
 * @param {number} part
 */
const quantile = (lengths, part) => lengths[Math.ceil(lengths.length * part) - 1]?.lines ?? 0;

await script(async () => {
  const source = process.argv[2] ?? join(ROOT, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(rs|ts)$/u.test(name));
  /** @type {Length[]} */
  const functions = [];
  /** @type {Length[]} */
  const sizes = [];
  for (const file of files) {
    const text = readFileSync(join(source, file), 'utf8');
    functions.push(...(file.endsWith('.rs') ? rustFunctions : scriptFunctions)(text, file));
    sizes.push({ lines: text.split('\n').length - 1, where: file });
  }
  functions.sort((a, b) => a.lines - b.lines);
  const [median, p90] = [quantile(functions, 0.5), quantile(functions, 0.9)];
  const longest = functions.at(-1)?.lines;
  console.log(`${files.length} files, ${functions.length} functions: median ${median}, 90th percentile ${p90}, longest ${longest} lines`);
  const faults = [
    ...(median > LIMITS.median ? [`the median function has ${median} lines; at most ${LIMITS.median}`] : []),
    ...(p90 > LIMITS.p90 ? [`nine functions of ten have up to ${p90} lines; at most ${LIMITS.p90}`] : []),
    ...functions.filter(({ lines }) => lines > LIMITS.longest).map(({ lines, where }) => `${where}: ${lines} lines; a function has at most ${LIMITS.longest}`),
    ...sizes.filter(({ lines }) => lines > LIMITS.file).map(({ lines, where }) => `${where}: ${lines} lines; a file has at most ${LIMITS.file}`),
  ];
  if (faults.length > 0) throw new Failure(faults.join('\n'));
});
