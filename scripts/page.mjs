/** Assembles the demo page in target/page/, on the package as npm would publish it. */
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, ROOT, output, run, step } from './run.mjs';

/** The folder that `qwen3-rerank serve --page` serves. */
export const PAGE = 'target/page';

/** The default model, which the package holds. */
export const MODEL = 'models/qwen3-rerank-nano-q8_0.gguf';

/** Puts the page and the packed package together. */
export async function assemblePage() {
  step('assembling the page');
  if (!existsSync(join(ROOT, MODEL))) throw new Failure(`${MODEL} is missing; is this a whole checkout?`);
  rmSync(join(ROOT, PAGE), { recursive: true, force: true });
  cpSync(join(ROOT, 'www'), join(ROOT, PAGE), { recursive: true });
  mkdirSync(join(ROOT, PAGE, 'qwen3-rerank'));
  const packed = output('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', 'target']);
  if (packed === null) throw new Failure('npm pack failed');
  await run('tar', ['-xzf', join('target', packed), '--strip-components=1', '-C', join(PAGE, 'qwen3-rerank')]);
}
