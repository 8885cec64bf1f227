/** Reads Rust source as tokens: as much of the language as `cycles.mjs` and `code-shape.mjs` need. */

/** @typedef {{ text: string, line: number }} Token */

/**
 * What a source is made of, in order: the first alternative that matches wins.
 * A lifetime is told from a character by the quote that a character ends with.
 */
const PATTERN = new RegExp(
  [
    String.raw`(?<skip>\s+|//[^\n]*)`,
    String.raw`(?<comment>/\*)`,
    String.raw`(?<raw>(?:[bc]?r(?<hashes>#+)?|[bc])?")`,
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
    else if (groups['raw'] !== undefined) end = endOfString(source, end, whole, groups['hashes'] ?? '');
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
 * Where a string ends, whose first quote ends at `at`.
 * @param {string} source
 * @param {number} at
 * @param {string} opening
 * @param {string} hashes
 */
function endOfString(source, at, opening, hashes) {
  if (opening.includes('r')) return source.indexOf(`"${hashes}`, at) + 1 + hashes.length;
  while (source[at] !== '"' && at < source.length) at += source[at] === '\\' ? 2 : 1;
  return at + 1;
}

/**
 * Where the item or block that starts at a token ends: past its `;` or its closing brace.
 * @param {Token[]} list
 * @param {number} start
 */
export function endOfItem(list, start) {
  let depth = 0;
  for (let at = start; at < list.length; at += 1) {
    const text = list[at]?.text ?? '';
    if ('([{'.includes(text)) depth += 1;
    if (')]}'.includes(text)) depth -= 1;
    if (depth === 0 && (text === '}' || text === ';')) return at + 1;
  }
  return list.length;
}

/**
 * The tokens without items that only tests have, and the names of their modules: `#[cfg(test)] mod tests;` is a file.
 * @param {Token[]} list
 */
export function withoutTests(list) {
  /** @type {Token[]} */
  const kept = [];
  /** @type {string[]} */
  const modules = [];
  for (let at = 0; at < list.length; ) {
    const end = list[at]?.text === '#' && list[at + 1]?.text === '[' ? endOfAttribute(list, at) : at;
    const attribute = list.slice(at, end).map(({ text }) => text).join(' ');
    if (/^# \[ (test \]|cfg \( (all \( )?(.* , )?test [),])/u.test(attribute)) {
      const item = list.slice(end, endOfItem(list, end));
      const module = item.findIndex(({ text }) => text === 'mod');
      if (module >= 0) modules.push(item[module + 1]?.text ?? '');
      at = end + item.length;
    } else {
      kept.push(...list.slice(at, Math.max(end, at + 1)));
      at = Math.max(end, at + 1);
    }
  }
  return { kept, modules };
}

/**
 * @param {Token[]} list
 * @param {number} start at `#`
 */
function endOfAttribute(list, start) {
  let depth = 0;
  for (let at = start; at < list.length; at += 1) {
    if (list[at]?.text === '[') depth += 1;
    if (list[at]?.text === ']') depth -= 1;
    if (depth === 0 && at > start) return at + 1;
  }
  return list.length;
}
