/** The answer: progress, results as bars, or an error. */
import { element, say } from './element.js';

export class Answer {
  #section = element('answer');
  #status = element('answer-status');
  #progress = element('answer-progress');
  #error = element('answer-error');
  #list = element('results');
  #template = element('result-template');

  start() {
    this.#section.classList.add('busy');
    say(this.#error, null);
    this.#status.textContent = 'Scoring…';
    this.#progress.removeAttribute('value');
    this.#progress.hidden = false;
  }

  progress(documents, total) {
    this.#progress.value = documents / total;
  }

  show(results, milliseconds) {
    this.#end(`${count(results.length)}, best first, in ${milliseconds.toFixed(0)} ms.`);
    this.#list.replaceChildren(...results.map((result) => this.#row(result)));
  }

  fail(error) {
    const stopped = error.name === 'AbortError';
    this.#end(stopped ? 'Stopped.' : '');
    say(this.#error, stopped ? null : error.message);
  }

  #end(status) {
    this.#section.classList.remove('busy');
    this.#progress.hidden = true;
    this.#status.textContent = status;
  }

  #row({ document: text, score }) {
    const row = this.#template.content.firstElementChild.cloneNode(true);
    row.querySelector('.text').textContent = text;
    row.querySelector('.score').textContent = score.toFixed(4);
    row.querySelector('.bar').style.width = `${score * 100}%`;
    return row;
  }
}

function count(results) {
  return results === 1 ? '1 document' : `${results} documents`;
}
