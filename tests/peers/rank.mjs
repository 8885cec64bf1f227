/**
 * llama.cpp's rank pooling, through node-llama-cpp's prebuilt library.
 *
 * As a command it is what models/golden.py records llama.cpp with:
 *   node tests/peers/rank.mjs MODEL.gguf < prompts.json
 * reads an array of prompts, each an array of ids, and prints {"version", "margins"}:
 * the log-odds of yes for each.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Where `npm run test:peers` installs it. */
const LIBRARY = new URL('../../target/llama/node_modules/node-llama-cpp/', import.meta.url);
const { getLlama } = await import(new URL('dist/index.js', LIBRARY).href);

/** The versions of node-llama-cpp and of the llama.cpp in it. */
export function version() {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(name, LIBRARY), 'utf8'));
  const { version } = read('package.json');
  const { tag } = read('llama/llama.cpp.info.json');
  return `node-llama-cpp ${version}, llama.cpp ${tag}`;
}

/**
 * Loads a rerank GGUF and calls `use` with two functions:
 * `tokenize(text)` → ids, and `margins(prompts)` → log-odds of yes, a prompt being an array of ids.
 * @template T
 * @param {string} file
 * @param {(model: { tokenize: (text: string) => number[], margins: (prompts: number[][]) => Promise<number[]> }) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withModel(file, use) {
  // build: "never", so that nothing is compiled or downloaded where no prebuilt library fits.
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 2 });
  const model = await llama.loadModel({ modelPath: file });
  // The library joins the tokens of template, query and document; with a template of
  // nothing but the two, and the prompt's last id as the document, it gets the very ids.
  const context = await model.createRankingContext({
    contextSize: 4096,
    template: '{{query}}{{document}}',
  });
  try {
    return await use({
      tokenize: (text) => [...model.tokenize(text, true)],
      margins: async (prompts) => {
        const margins = [];
        for (const ids of prompts) {
          const probability = await context.rank(ids.slice(0, -1), ids.slice(-1));
          margins.push(Math.log(probability / (1 - probability)));
        }
        return margins;
      },
    });
  } finally {
    await context.dispose();
    await model.dispose();
    await llama.dispose();
  }
}

const [, command = '', file = ''] = process.argv;
if (import.meta.url === pathToFileURL(command).href) {
  const prompts = JSON.parse(readFileSync(0, 'utf8'));
  const margins = await withModel(file, (model) => model.margins(prompts));
  console.log(JSON.stringify({ version: version(), margins }));
}
