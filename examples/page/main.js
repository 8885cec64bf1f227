// Ranks a few documents in this page; see ../README.md for how to run it.
import { Reranker, defaultModel } from './node_modules/qwen3-rerank/dist/index.js';

const DOCUMENTS = [
  'Carson City is the capital city of the American state of Nevada.',
  'Capital punishment has existed in the United States since before it was a country.',
  'Washington, D.C. is the capital of the United States.',
  'The capital of the Northern Mariana Islands is Saipan.',
];

const form = document.querySelector('form');
const button = document.querySelector('button');
const status = document.querySelector('[role=status]');
const list = document.querySelector('ol');

try {
  // The package's own small English model; the URL of any other Qwen3-Reranker GGUF works too.
  const reranker = await Reranker.load(defaultModel, {
    onProgress: ({ phase, loaded, total }) => (status.textContent = `${phase}: ${loaded} of ${total ?? '?'} bytes`),
  });
  status.textContent = 'Ready.';
  button.disabled = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void rank(reranker, form.elements.query.value);
  });
} catch (error) {
  status.textContent = error.message;
}

async function rank(reranker, query) {
  try {
    const { results } = await reranker.rerank({ query, documents: DOCUMENTS });
    list.replaceChildren(...results.map(({ document: text, score }) => {
      const item = document.createElement('li');
      item.textContent = `${score.toFixed(3)}  ${text}`;
      return item;
    }));
    status.textContent = 'Done.';
  } catch (error) {
    status.textContent = error.message; // a RerankError; error.field names the field at fault
  }
}
