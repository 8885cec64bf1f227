/** The editable list of documents. */
import { element } from './element.js';

export class Documents {
  #list = element('documents');
  #template = element('document-template');

  constructor(texts) {
    for (const text of texts) this.#append(text);
    element('add').addEventListener('click', () => this.#append('').focus());
  }

  /** What the user wrote, in order; cards left blank are not documents. */
  texts() {
    const areas = [...this.#list.querySelectorAll('textarea')];
    return areas.map((area) => area.value).filter((text) => text.trim() !== '');
  }

  #append(text) {
    const card = this.#template.content.firstElementChild.cloneNode(true);
    const area = card.querySelector('textarea');
    area.value = text;
    card.querySelector('button').addEventListener('click', () => this.#remove(card));
    this.#list.append(card);
    this.#number();
    return area;
  }

  #remove(card) {
    const next = card.nextElementSibling ?? card.previousElementSibling;
    card.remove();
    this.#number();
    // The keyboard stays where it was.
    (next?.querySelector('textarea') ?? element('add')).focus();
  }

  #number() {
    [...this.#list.children].forEach((card, index) => {
      const id = `document-${index + 1}`;
      const label = card.querySelector('label');
      label.textContent = `Document ${index + 1}`;
      label.htmlFor = id;
      card.querySelector('textarea').id = id;
      card.querySelector('button').setAttribute('aria-label', `Remove document ${index + 1}`);
    });
  }
}
