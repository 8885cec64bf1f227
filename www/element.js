/** The element with this id, which the page must have. */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** Shows a sentence in an element, or hides the element for none. */
export function say(target, sentence) {
  target.textContent = sentence ?? '';
  target.hidden = !sentence;
}
