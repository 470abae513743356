// Elements and their texts. Whatever comes from a station becomes text, never markup.

export const by = (id) => document.getElementById(id);

/** Give an element with attributes and children; strings become text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Change a text only where it differs: what is the same costs no layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Give a canvas's context, as many pixels wide and high as the screen shows of it, cleared. */
export function clean(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = Math.max(Math.round(canvas.clientWidth * ratio), 1);
  const height = Math.max(Math.round(canvas.clientHeight * ratio), 1);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return context;
}
