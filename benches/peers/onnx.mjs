/** ONNX Runtime Web on an int8 graph of the same shape, which benches/peers/onnx/int8.py makes. */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, ROOT, output, run, step } from '../../scripts/run.mjs';
import { openInChromium } from './chromium.mjs';
import { FOLDER } from './work.mjs';

const GRAPH = `${FOLDER}/0.6b-int8.onnx`;
const PYTHON = `${FOLDER}/venv/bin/python`;
/** What makes the graph. */
const PACKAGES = ['onnx==1.19.1', 'numpy==2.4.6'];

/** @param {{ threads: number }} options */
export async function onnxInChromium(options) {
  if (!existsSync(join(ROOT, GRAPH))) await makeGraph();
  return openInChromium('onnx', GRAPH, options);
}

async function makeGraph() {
  if (output(PYTHON, ['-c', 'import onnx']) === null) {
    step('installing onnx');
    if (output('python3', ['-m', 'venv', '--help']) === null) {
      throw new Failure('Python with its module venv is missing. On Debian: apt-get install python3-venv. Or leave ONNX out: --only wllama,candle,llama');
    }
    await run('python3', ['-m', 'venv', `${FOLDER}/venv`]);
    await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', ...PACKAGES]);
  }
  step(`making ${GRAPH}`);
  await run(PYTHON, ['benches/peers/onnx/int8.py', `${GRAPH}.part`]);
  renameSync(join(ROOT, `${GRAPH}.part`), join(ROOT, GRAPH));
}
