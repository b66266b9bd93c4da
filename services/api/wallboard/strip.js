// The alert strip: one card or row per alert, kept by its id so that focus survives a frame.
// « Je m'en occupe » answers at once; what became of it is told in the row itself.

import * as format from "./format.js";
import { lastResolved } from "./board.js";
import { arrange, make, setAttribute, setShown, setText } from "./dom.js";
import { setShape, shape } from "./shapes.js";
import { stripLines, subjectOf } from "./strip_text.js";

export const STRIP_PLACES = 3;

/** Letters that a card of the wall holds; beyond, type is set narrower. */
const ROOM = { title: 29, detail: 44, detailOfFour: 38 };

/** One alert of the strip. `onTake(alertId)` is called once per press. */
class AlertCard {
  constructor(onTake) {
    this.node = make("li", "alert");
    this.node.tabIndex = -1;
    this.shape = shape("critical");
    const lines = make("div", "alert-lines");
    this.queue = make("b", "alert-queue");
    this.title = make("span", "alert-title");
    const first = make("p", "alert-first");
    this.detail = make("p", "alert-detail");
    first.append(this.queue, this.title);
    lines.append(first, this.detail);
    this.note = make("span", "alert-note");
    this.aside = make("span", "alert-aside");
    this.asideText = make("span");
    this.aside.append(shape("taken"), this.asideText);
    this.button = make("button", "take");
    this.button.type = "button";
    this.buttonText = make("span");
    this.button.append(shape("taken"), this.buttonText);
    this.button.addEventListener("click", () => onTake(this.node.dataset.alert));
    this.node.append(this.shape, lines, this.note, this.aside, this.button);
  }

  show(item, context, command) {
    const { texts, isTv } = context;
    const lines = stripLines(item, context);
    const name = item.view?.row.short || item.view?.row.label || subjectOf(item.alert, context);
    setAttribute(this.node, "data-look", item.look);
    setAttribute(this.node, "data-taken", item.isTaken ? "" : null);
    setAttribute(this.node, "data-alert", item.kind === "alert" ? item.key : null);
    setShape(this.shape, item.shape);
    setText(this.queue, name);
    setText(this.title, `${isTv ? texts.colon : " · "}${lines.title}`);
    setText(this.detail, lines.detail);
    setAttribute(this.node, "data-tight-title", name.length + lines.title.length > ROOM.title ? "" : null);
    setAttribute(this.node, "data-tight-detail", lines.detail.length > (context.isFull ? ROOM.detailOfFour : ROOM.detail) ? "" : null);
    setText(this.asideText, lines.aside);
    setShown(this.aside, Boolean(lines.aside));
    setText(this.note, command?.note ?? "");
    this.#showButton(item, context, command, name);
  }

  #showButton(item, { texts }, command, name) {
    const isShown = Boolean(item.canTake);
    if (!isShown && document.activeElement === this.button) this.node.focus();
    setShown(this.button, isShown);
    this.button.disabled = Boolean(command?.isSending);
    setText(this.buttonText, command?.isSending ? texts.sending : texts.take);
    setAttribute(this.button, "aria-label", command?.isSending ? null : `${texts.take}, ${name}`);
  }
}

/** The strip's list. `show(items, context)`; `context` also holds commands, board, link. */
export class Strip {
  #cards = new Map();
  #isOpen = false;

  constructor({ list, more, count, onTake, onToggle }) {
    this.list = list;
    this.more = more;
    this.count = count;
    this.onTake = onTake;
    this.quiet = makeQuiet();
    this.overflow = makeOverflow();
    more.addEventListener("click", () => {
      this.#isOpen = !this.#isOpen;
      onToggle();
    });
  }

  show(items, context) {
    const isWhole = !context.isTv && this.#isOpen;
    const isCut = context.link === "cut";
    const shown = isWhole ? items : items.slice(0, isCut ? STRIP_PLACES - 1 : STRIP_PLACES);
    this.#forget(items);
    const isFull = items.length > STRIP_PLACES;
    const nodes = shown.map((item) => this.#card(item, { ...context, isFull }));
    if (items.length === 0 && !isCut && !context.isFirst) nodes.push(this.#quietCard(context));
    if (context.isTv && items.length > shown.length) nodes.push(this.#overflowCard(items, context));
    arrange(this.list, nodes);
    this.#showCount(items, context);
  }

  #card(item, context) {
    if (!this.#cards.has(item.key)) this.#cards.set(item.key, new AlertCard(this.onTake));
    const card = this.#cards.get(item.key);
    card.show(item, context, context.commands.get(item.key));
    return card.node;
  }

  #forget(items) {
    const kept = new Set(items.map((item) => item.key));
    for (const key of this.#cards.keys()) if (!kept.has(key)) this.#cards.delete(key);
  }

  #quietCard(context) {
    setText(this.quiet.title, context.texts.noAlert);
    setText(this.quiet.detail, lastText(context));
    return this.quiet.node;
  }

  #overflowCard(items, { texts }) {
    const rest = items.slice(STRIP_PLACES);
    const isSoon = rest.every((item) => item.kind === "soon");
    setText(this.overflow.number, texts.more(rest.length));
    setText(this.overflow.word, isSoon ? texts.soonTitle : texts.moreWord(rest.length));
    return this.overflow.node;
  }

  #showCount(items, { texts, isTv }) {
    setText(this.count, items.length ? String(items.length) : "");
    setShown(this.more, !isTv && items.length > STRIP_PLACES);
    setText(this.more, this.#isOpen ? texts.fewerAlerts : texts.allAlerts(items.length));
    setAttribute(this.more, "aria-expanded", String(this.#isOpen));
  }
}

function makeQuiet() {
  const node = make("li", "alert alert-quiet");
  const lines = make("div", "alert-lines");
  const title = make("p", "alert-first");
  const detail = make("p", "alert-detail");
  lines.append(title, detail);
  node.append(shape("normal"), lines);
  return { node, title, detail };
}

function makeOverflow() {
  const node = make("li", "alert alert-overflow");
  const number = make("p", "alert-first");
  const word = make("p", "alert-detail");
  node.append(number, word);
  return { node, number, word };
}

/** « Dernière : Facturation, attente max, de 13:58 à 14:01, traitée par Léa M. » */
function lastText(context) {
  const { board, texts, timeZone } = context;
  const alert = lastResolved(board);
  if (!alert) return "";
  const [, metric] = texts.metrics[alert.metric] ?? [alert.metric, alert.metric];
  return texts.lastAlert(
    subjectOf(alert, context),
    metric,
    format.hourMinute(alert.crossed_ms, timeZone),
    format.hourMinute(alert.resolved_ms, timeZone),
    alert.acknowledged_by,
  );
}
