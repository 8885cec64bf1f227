/** Connects the parts of the page: the model, the request form and the answer. */
import { Answer } from './answer.js';
import { Documents } from './documents.js';
import { ModelPanel } from './model.js';
import { element } from './element.js';

const EXAMPLE = [
  'Carson City is the capital city of the American state of Nevada.',
  'The Commonwealth of the Northern Mariana Islands is a group of islands in the Pacific Ocean. Its capital is Saipan.',
  'Washington, D.C. is the capital of the United States.',
  'Capital punishment has existed in the United States since before it was a country.',
];

const form = element('request');
const rerank = element('rerank');
const stop = element('stop');
const answer = new Answer();
const documents = new Documents(EXAMPLE);
const model = new ModelPanel(() => {
  rerank.disabled = !model.reranker || running !== undefined;
  if (model.reranker && !greeted) void greet();
});
/** @type {AbortController | undefined} */
let running;
let greeted = false;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!rerank.disabled) void run();
});
form.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
stop.addEventListener('click', () => running?.abort());
model.loadDefault();

/** Ranks the example with the first model, unless the user has begun to write. */
async function greet() {
  greeted = true;
  const query = element('query');
  const untouched = query.value === query.defaultValue && documents.texts().join('\n') === EXAMPLE.join('\n');
  if (!untouched) return;
  await run();
  // Counted from when the page was asked for.
  model.tell('First order', `after ${performance.now().toFixed(0)} ms`);
}

/** Reranks the form's documents. */
async function run() {
  running = new AbortController();
  rerank.disabled = true;
  stop.disabled = false;
  answer.start();
  const started = performance.now();
  try {
    const response = await model.reranker.rerank(readRequest(), {
      signal: running.signal,
      onProgress: ({ documents, total }) => answer.progress(documents, total),
    });
    const milliseconds = performance.now() - started;
    answer.show(response.results, milliseconds);
    model.tell('Last request', `${milliseconds.toFixed(0)} ms`);
  } catch (error) {
    answer.fail(error);
    model.check(error);
  } finally {
    running = undefined;
    stop.disabled = true;
    rerank.disabled = !model.reranker;
  }
}

/** The form as a request; the package checks its values. */
function readRequest() {
  const topN = element('top-n').value;
  const instruction = element('instruction').value.trim();
  return {
    query: element('query').value,
    documents: documents.texts(),
    ...(topN === '' ? {} : { top_n: Number(topN) }),
    ...(instruction === '' ? {} : { instruction }),
  };
}
