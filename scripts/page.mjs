/** Assembles the demo page in target/page/, on the package as npm would publish it. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, ROOT, output, run, step } from './run.mjs';

/** The folder that `qwen3-rerank serve --page` serves. */
export const PAGE = 'target/page';

/** The default model, which the package holds. */
export const MODEL = 'models/qwen3-rerank-nano-q8_0.gguf';

/**
 * Puts the page and the packed package together.
 * @param {string} [build] the only one that the package has, which the page then asks for
 */
export async function assemblePage(build) {
  step('assembling the page');
  if (!existsSync(join(ROOT, MODEL))) throw new Failure(`${MODEL} is missing; is this a whole checkout?`);
  const next = `${PAGE}.next`;
  rmSync(join(ROOT, next), { recursive: true, force: true });
  cpSync(join(ROOT, 'www'), join(ROOT, next), { recursive: true });
  mkdirSync(join(ROOT, next, 'qwen3-rerank'));
  const packed = output('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', 'target']);
  if (packed === null) throw new Failure('npm pack failed');
  await run('tar', ['-xzf', join('target', packed), '--strip-components=1', '-C', join(next, 'qwen3-rerank')]);
  if (build !== undefined) askForBuild(join(ROOT, next, 'index.html'), build);
  // At once, since a server may be serving the old page.
  rmSync(join(ROOT, PAGE), { recursive: true, force: true });
  renameSync(join(ROOT, next), join(ROOT, PAGE));
}

/**
 * Makes the page load one build, on one thread.
 * @param {string} file
 * @param {string} build
 */
function askForBuild(file, build) {
  const html = readFileSync(file, 'utf8');
  writeFileSync(file, html.replace('</title>', `</title>\n  <meta name="qwen3-rerank-build" content="${build}">`));
}
