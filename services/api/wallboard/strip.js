// The alert strip: one card or row per alert, kept by its id so that focus survives a frame.
// A press of a button answers at once; what became of it is told in the row itself.

import * as format from "./format.js";
import { lastResolved } from "./board.js";
import { arrange, make, setAttribute, setShown, setText } from "./dom.js";
import { setShape, shape } from "./shapes.js";
import { stripLines, subjectOf } from "./strip_text.js";

export const STRIP_PLACES = 3;
export const SNOOZE_MINUTES = 10;
const SNOOZES = [5, 10, 30];

/** Letters that a card of the wall holds; beyond, type is set narrower. */
const ROOM = { title: 29, detail: 44, detailOfFour: 38 };

/** One alert of the strip. `on`: take, snooze(alertId, minutes), menu(alertId, button), close; each is
 *  called once per press. */
class AlertCard {
  constructor(on) {
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
    this.button.addEventListener("click", () => on.take(this.node.dataset.alert));
    this.snooze = makeAction("snooze", "snoozed", () => on.snooze(this.node.dataset.alert, SNOOZE_MINUTES));
    this.others = makeAction("snooze-others", "", () => on.menu(this.node.dataset.alert, this.others.node));
    this.close = makeAction("close", "", () => on.close(this.node.dataset.alert));
    this.actions = [this.snooze, this.others, this.close];
    this.node.append(this.shape, lines, this.note, this.aside, this.button, ...this.actions.map(({ node }) => node));
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
    this.#showButtons(item, context, command, name);
  }

  #showButtons(item, { texts }, command, name) {
    const { button, snooze, others, close } = this;
    const show = (node, text, action, label, isShown) => {
      const isSending = Boolean(command?.isSending && command.action === action);
      if (!isShown && document.activeElement === node) this.node.focus();
      setShown(node, Boolean(isShown));
      node.disabled = Boolean(command?.isSending);
      setText(text, isSending ? texts.sending : label);
      setAttribute(node, "aria-label", isSending ? null : `${label}, ${name}`);
    };
    show(button, this.buttonText, "acknowledge", texts.take, item.canTake);
    show(snooze.node, snooze.text, "snooze", texts.snooze(SNOOZE_MINUTES), item.canSnooze);
    show(close.node, close.text, "resolve", texts.closeAlert, item.canClose);
    show(others.node, others.text, "", texts.otherSnooze, item.canSnooze);
  }
}

function makeAction(name, shapeName, onPress) {
  const node = make("button", `action action-${name}`);
  const text = make("span");
  node.type = "button";
  if (shapeName) node.append(shape(shapeName));
  node.append(text);
  node.addEventListener("click", onPress);
  return { node, text };
}

/** The other lengths of a reminder, beside the button that opens them. A popover, so no card cuts it off. */
class SnoozeMenu {
  #alertId = null;

  constructor(onSnooze) {
    this.node = make("div", "snooze-menu");
    this.node.popover = "auto";
    this.node.setAttribute("role", "group");
    this.choices = SNOOZES.map((minutes) => {
      const { node, text } = makeAction("choice", "", () => {
        this.node.hidePopover();
        onSnooze(this.#alertId, minutes);
      });
      this.node.append(node);
      return { node, text, minutes };
    });
  }

  open(alertId, button, texts) {
    this.#alertId = alertId;
    setAttribute(this.node, "aria-label", texts.otherSnooze);
    for (const { text, minutes } of this.choices) setText(text, texts.snooze(minutes));
    this.node.showPopover();
    const { right, bottom } = button.getBoundingClientRect();
    this.node.style.setProperty("left", `${Math.max(8, right - this.node.offsetWidth)}px`);
    this.node.style.setProperty("top", `${Math.min(bottom + 6, innerHeight - this.node.offsetHeight - 8)}px`);
    this.choices[0].node.focus();
  }
}

/** The strip's list. `show(items, context)`; `context` also holds commands, board, link. */
export class Strip {
  #cards = new Map();
  #isOpen = false;

  constructor({ list, more, count, onTake, onSnooze, onClose, onToggle }) {
    this.list = list;
    this.more = more;
    this.count = count;
    this.menu = new SnoozeMenu(onSnooze);
    list.after(this.menu.node);
    const openMenu = (alertId, button) => this.menu.open(alertId, button, this.texts);
    this.on = { take: onTake, snooze: onSnooze, close: onClose, menu: openMenu };
    this.quiet = makeQuiet();
    this.overflow = makeOverflow();
    more.addEventListener("click", () => {
      this.#isOpen = !this.#isOpen;
      onToggle();
    });
  }

  show(items, context) {
    this.texts = context.texts;
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
    if (!this.#cards.has(item.key)) this.#cards.set(item.key, new AlertCard(this.on));
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
    alert.acknowledged_by ?? alert.resolved_by,
  );
}
