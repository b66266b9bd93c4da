// Making and changing elements without ever turning data into markup: text only.

/** A new element: `make("span", "label", "En attente")`. */
export function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

/** Sets the text; touches the page only when it changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute, or removes it for null; touches the page only when it changes. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

/** Shows or hides. */
export function setShown(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** A figure as number and unit spans; parts as in format.js. */
export function setFigure(node, parts) {
  const text = parts.map(([part]) => part).join("");
  if (node.dataset.figure === text) return;
  node.dataset.figure = text;
  node.replaceChildren(...parts.map(([part, isUnit]) => make("span", isUnit ? (part.endsWith("%") ? "unit unit-percent" : "unit") : "number", part)));
}

/** Puts `nodes` into `parent` in this order, moving only what is out of place, so focus is kept. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}
