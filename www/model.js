/** The model: its source, the progress of its load, and facts about it. */
import { Reranker, defaultModel } from './qwen3-rerank/dist/index.js';
import { element, say } from './element.js';

/** The only build that this page's package has, while `npm start` makes the others. */
const onlyBuild = document.querySelector('meta[name="qwen3-rerank-build"]')?.content;
const buildOptions = onlyBuild ? { build: onlyBuild, threads: 1 } : {};

export class ModelPanel {
  /** The loaded model, if there is one. */
  reranker = undefined;
  #load = undefined;
  #onChange;
  #status = element('model-status');
  #progress = element('model-progress');
  #facts = element('model-facts');
  #error = element('model-error');

  /** `onChange` is called when a model was loaded or disposed. */
  constructor(onChange) {
    this.#onChange = onChange;
    element('file').addEventListener('change', (event) => this.#pick(event.target.files));
    element('url-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.load(element('url').value.trim());
    });
    element('default').addEventListener('click', () => this.loadDefault());
    this.#takeDrops();
  }

  loadDefault() {
    void this.load(defaultModel);
  }

  /** Replaces the model by the one at `source`, a URL or a File. */
  async load(source) {
    this.#load?.abort();
    const load = new AbortController();
    this.#load = load;
    this.#reset();
    const started = performance.now();
    try {
      const reranker = await Reranker.load(source, {
        ...buildOptions,
        signal: load.signal,
        onProgress: (progress) => this.#report(progress),
      });
      if (load.signal.aborted) {
        reranker.dispose();
        return;
      }
      this.reranker = reranker;
      const milliseconds = performance.now() - started;
      this.#describe(source, milliseconds, await reranker.diagnostics());
    } catch (error) {
      if (load.signal.aborted) return;
      this.#status.textContent = 'No model is loaded.';
      say(this.#error, error.message);
    }
    this.#progress.hidden = true;
    this.#onChange();
  }

  /** Adds a fact, or changes it; `why` is shown when pointed at. */
  tell(name, value, why = '') {
    const known = [...this.#facts.children].find((fact) => fact.firstElementChild.textContent === name);
    const fact = known ?? document.createElement('div');
    const [term, text] = [document.createElement('dt'), document.createElement('dd')];
    term.textContent = name;
    text.textContent = value;
    text.title = why;
    fact.replaceChildren(term, text);
    if (!known) this.#facts.append(fact);
  }

  /** After a failed request: a crashed model is of no more use. */
  check(error) {
    if (error.kind !== 'crashed') return;
    this.#reset();
    this.#progress.hidden = true;
    this.#status.textContent = 'No model is loaded: the last one crashed.';
  }

  /** Disposes the old model before the next is loaded, so that memory holds only one. */
  #reset() {
    this.reranker?.dispose();
    this.reranker = undefined;
    this.#facts.hidden = true;
    this.#facts.replaceChildren();
    element('small').hidden = true;
    say(this.#error, null);
    this.#status.textContent = 'Loading…';
    this.#progress.removeAttribute('value');
    this.#progress.hidden = false;
    this.#onChange();
  }

  #report({ phase, loaded, total }) {
    this.#status.textContent = phase === 'download' ? 'Downloading…' : 'Loading…';
    if (total) this.#progress.value = loaded / total;
    else this.#progress.removeAttribute('value');
  }

  #describe(source, milliseconds, { build, threads, threads_reason }) {
    const { info } = this.reranker;
    this.#status.textContent = 'Ready.';
    element('small').hidden = source !== defaultModel;
    this.tell('Name', info.name);
    this.tell('Size', `${megabytes(info.file_size)}, ${Object.keys(info.types).join(' + ')}`);
    this.tell('Shape', `${info.num_hidden_layers} layers of ${info.hidden_size}`);
    this.tell('Head', info.head);
    const instructions = build === 'relaxed' ? 'relaxed SIMD' : 'SIMD';
    this.tell('Runs on', `${instructions}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`, threads_reason);
    this.tell('Loaded in', `${milliseconds.toFixed(0)} ms`);
    this.#facts.hidden = false;
  }

  #pick(files) {
    if (files?.length) void this.load(files[0]);
  }

  #takeDrops() {
    const mark = (on) => document.body.classList.toggle('dropping', on);
    const carriesFile = (event) => event.dataTransfer?.types.includes('Files');
    document.addEventListener('dragover', (event) => {
      if (!carriesFile(event)) return;
      event.preventDefault();
      mark(true);
    });
    document.addEventListener('dragleave', (event) => {
      if (!event.relatedTarget) mark(false);
    });
    document.addEventListener('drop', (event) => {
      if (!carriesFile(event)) return;
      event.preventDefault();
      mark(false);
      this.#pick(event.dataTransfer.files);
    });
  }
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: bytes < 1e8 ? 1 : 0 })} MB`;
}
