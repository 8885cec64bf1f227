/** `npm run lint:docs`: every relative link of the Markdown files leads somewhere, and README.md stays short. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Failure, ROOT, output, script, step } from './run.mjs';

/** Most lines of README.md. */
const README_LINES = 150;

/** Checks all Markdown files that Git knows or would add. */
export async function checkDocs() {
  step('checking links in Markdown');
  const listed = output('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md']);
  if (!listed) throw new Failure('git lists no Markdown files');
  const files = listed.split('\n').filter((file) => existsSync(join(ROOT, file)));
  const faults = files.flatMap(deadLinks);
  const lines = readFileSync(join(ROOT, 'README.md'), 'utf8').trimEnd().split('\n').length;
  if (lines > README_LINES) faults.push(`README.md has ${lines} lines; at most ${README_LINES}`);
  if (faults.length > 0) throw new Failure(faults.join('\n'));
  console.log(`${files.length} files, no dead link; README.md has ${lines} lines`);
}

/**
 * One sentence for each link that leads nowhere.
 * @param {string} file
 */
function deadLinks(file) {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return links(text).flatMap((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? file : join(dirname(file), decodeURIComponent(path));
    if (relative('.', target).startsWith('..')) return [`${file}: ${link} leads out of the repository`];
    if (!existsSync(join(ROOT, target))) return [`${file}: ${link} leads to nothing`];
    if (anchor === undefined || !target.endsWith('.md')) return [];
    const found = anchors(readFileSync(join(ROOT, target), 'utf8')).includes(anchor);
    return found ? [] : [`${file}: ${link} names no heading of ${target}`];
  });
}

/**
 * The relative links of a Markdown text, outside of code.
 * @param {string} text
 */
function links(text) {
  const inline = [...prose(text).matchAll(/\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g)];
  const references = [...prose(text).matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)];
  const all = [...inline, ...references].map(([, link = '']) => link);
  return all.filter((link) => !/^[a-z][a-z+.-]*:/i.test(link));
}

/**
 * The anchors that GitHub gives a text's headings.
 * @param {string} text
 */
function anchors(text) {
  const headings = [...text.replace(/^```.*?^```/gms, '').matchAll(/^#+\s+(.*)$/gm)];
  return headings.map(([, heading = '']) =>
    heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-'));
}

/** @param {string} text */
function prose(text) {
  return text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '');
}

if (process.argv[1] === import.meta.filename) await script(checkDocs);
