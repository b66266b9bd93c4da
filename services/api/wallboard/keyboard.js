// Keys: arrows between queues and figures (one tab stop, roving), and single keys that can be
// switched off and never fire in a field or an open dialog.

import { WINDOWS } from "./options.js";

const FIELD = "input, textarea, select, [contenteditable], dialog[open]";

const isVisible = (node) => node.offsetParent !== null;
const buttonsOf = (article) => [...article.querySelectorAll("button.value")].filter(isVisible);

/** Makes one figure of the queues the tab stop, and moves it with the arrows. */
export class Roving {
  constructor(root) {
    this.root = root;
    root.addEventListener("keydown", (event) => this.#move(event));
    root.addEventListener("focusin", ({ target }) => this.#hold(target));
  }

  /** After the queues changed: exactly one figure can be reached by Tab. */
  refresh() {
    const held = this.root.querySelector('button.value[tabindex="0"]');
    if (held && isVisible(held)) return;
    if (held) held.tabIndex = -1;
    const first = this.#articles().flatMap(buttonsOf)[0];
    if (first) first.tabIndex = 0;
  }

  #articles() {
    return [...this.root.querySelectorAll("article.queue")].filter(isVisible);
  }

  #hold(target) {
    if (!target.matches("button.value")) return;
    for (const button of this.root.querySelectorAll('button.value[tabindex="0"]')) button.tabIndex = -1;
    target.tabIndex = 0;
  }

  #columns(articles) {
    const top = articles[0].offsetTop;
    return Math.max(1, articles.filter((article) => article.offsetTop === top).length);
  }

  #move(event) {
    const article = event.target.closest("article.queue");
    if (!article || event.ctrlKey || event.altKey || event.metaKey) return;
    const articles = this.#articles();
    const place = articles.indexOf(article);
    const columns = this.#columns(articles);
    const target = {
      ArrowDown: () => sameFigure(articles[place + columns], event.target),
      ArrowUp: () => sameFigure(articles[place - columns], event.target),
      ArrowRight: () => besideFigure(articles, event.target, 1),
      ArrowLeft: () => besideFigure(articles, event.target, -1),
      Home: () => sameFigure(articles[0], event.target),
      End: () => sameFigure(articles[articles.length - 1], event.target),
    }[event.key]?.();
    if (target === undefined) return;
    event.preventDefault();
    target?.focus();
  }
}

function sameFigure(article, button) {
  if (!article) return null;
  const buttons = buttonsOf(article);
  return buttons.find((other) => other.dataset.figure === button.dataset.figure) ?? buttons[0] ?? null;
}

function besideFigure(articles, button, step) {
  const all = articles.flatMap(buttonsOf);
  return all[all.indexOf(button) + step] ?? null;
}

/** The alert that A or R means: the focused one, else that of the focused queue. */
export function alertMeant(focused, alertsOfQueue) {
  const card = focused?.closest?.("[data-alert]");
  if (card) return card.dataset.alert;
  const article = focused?.closest?.("article.queue");
  return article ? alertsOfQueue(article.dataset.key) : null;
}

/** Single keys. `areOn()` says whether the person wants them. */
export function listen({ areOn, onWindow, onTake, onSnooze, onSources, onHelp }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || !areOn()) return;
    if (event.target.closest?.(FIELD) || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const window = WINDOWS[Number(key) - 1];
    if (window) onWindow(window);
    else if (key === "a") onTake(document.activeElement);
    else if (key === "r") onSnooze(document.activeElement);
    else if (key === "s") onSources();
    else if (key === "?") onHelp();
    else return;
    event.preventDefault();
  });
}
