/** Reads Rust source as tokens: as much of the language as `cycles.mjs` and `code-shape.mjs` need. */

/** @typedef {{ text: string, line: number }} Token */

/**
 * What a source is made of: the first alternative that matches wins.
 * A lifetime is told from a character by the quote that a character ends with.
 */
const PATTERN = new RegExp(
  [
    String.raw`(?<skip>\s+|//[^\n]*)`,
    String.raw`(?<comment>/\*)`,
    '(?<string>(?:[bc]?r(?<hashes>#+)?|[bc])?")',
    String.raw`(?<char>b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^\\'])')`,
    String.raw`(?<token>'\w+|(?:r#)?[A-Za-z_]\w*|\d[\w.]*|::|->|=>|[^\s])`,
  ].join('|'),
  'suy',
);

/**
 * The tokens of a source, without comments, strings and characters.
 * @param {string} source
 * @returns {Token[]}
 */
export function tokens(source) {
  const found = [];
  let [line, at] = [1, 0];
  while (at < source.length) {
    PATTERN.lastIndex = at;
    const { groups = {}, 0: whole } = /** @type {RegExpExecArray} */ (PATTERN.exec(source));
    let end = at + whole.length;
    if (groups['comment'] !== undefined) end = endOfComment(source, at);
    else if (groups['string'] !== undefined) end = endOfString(source, end, whole, groups['hashes'] ?? '');
    else if (groups['token'] !== undefined) found.push({ text: groups['token'].replace(/^r#/u, ''), line });
    line += source.slice(at, end).split('\n').length - 1;
    at = end;
  }
  return found;
}

/**
 * Where a block comment ends; they nest.
 * @param {string} source
 * @param {number} start
 */
function endOfComment(source, start) {
  let [depth, at] = [0, start];
  do {
    const two = source.slice(at, at + 2);
    if (two === '/*') depth += 1;
    if (two === '*/') depth -= 1;
    at += two === '/*' || two === '*/' ? 2 : 1;
  } while (depth > 0 && at < source.length);
  return at;
}

/**
 * Where a string ends.
 * @param {string} source
 * @param {number} start behind its first quote
 * @param {string} opening what stands up to there: `"`, `r#"`, …
 * @param {string} hashes those of `opening`
 */
function endOfString(source, start, opening, hashes) {
  if (opening.includes('r')) return source.indexOf(`"${hashes}`, start) + 1 + hashes.length;
  let at = start;
  while (source[at] !== '"' && at < source.length) at += source[at] === '\\' ? 2 : 1;
  return at + 1;
}

/**
 * Where brackets are closed again and `ends` is true of the token that closes them, or of one outside of all.
 * @param {Token[]} list
 * @param {number} start
 * @param {(text: string) => boolean} ends
 * @returns {number} behind that token
 */
function endOf(list, start, ends) {
  let depth = 0;
  for (let at = start; at < list.length; at += 1) {
    const text = list[at]?.text ?? '';
    if ('([{'.includes(text)) depth += 1;
    if (')]}'.includes(text)) depth -= 1;
    if (depth === 0 && ends(text)) return at + 1;
  }
  return list.length;
}

/**
 * Where the item that starts at a token ends: behind its `;` or its closing brace.
 * @param {Token[]} list
 * @param {number} start
 */
export function endOfItem(list, start) {
  return endOf(list, start, (text) => text === '}' || text === ';');
}

/** Attributes of items that only tests have. */
const TEST = /^# \[ (test \]|cfg \( (all \( )?(.* , )?test [),])/u;

/**
 * The tokens without items that only tests have, and the names of those that are modules: `#[cfg(test)] mod tests;` is a file.
 * @param {Token[]} list
 */
export function withoutTests(list) {
  /** @type {Token[]} */
  const kept = [];
  /** @type {string[]} */
  const modules = [];
  for (let at = 0; at < list.length; ) {
    const isAttribute = list[at]?.text === '#' && list[at + 1]?.text === '[';
    const end = isAttribute ? endOf(list, at + 1, (text) => text === ']') : at + 1;
    const attribute = list.slice(at, end);
    at = end;
    if (TEST.test(attribute.map(({ text }) => text).join(' '))) {
      at = endOfItem(list, end);
      const module = list.slice(end, at).findIndex(({ text }) => text === 'mod');
      if (module >= 0) modules.push(list[end + module + 1]?.text ?? '');
    } else {
      kept.push(...attribute);
    }
  }
  return { kept, modules };
}
