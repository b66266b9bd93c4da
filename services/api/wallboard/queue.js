// One queue on the page: an article of labelled figures. The same elements serve the TV tile and
// the desk row; only the style sheets tell them apart. Names come from outside: text nodes only.

import * as format from "./format.js";
import { make, setAttribute, setFigure, setShown, setText } from "./dom.js";
import { FIGURES, figure, fullName, isOfItems, unknownFigure, windowMinutes } from "./figures.js";
import { shape, setShape } from "./shapes.js";
import { drawTrend, makeTrend } from "./trend.js";

const GROUPS = ["available", "in_contact", "wrap_up", "paused", "offline"];
const AGE_SHOWN_FROM_MS = 10_000;
/** Width of one letter of the limit beside the trend. */
const LETTER_PX = { tv: 8, desk: 6.5 };
/** Letters that a tile of the full screen holds: a name beside its word, and what follows the word;
 *  counts below a figure; the four agent counts. Beyond, type is set narrower, or the rest left out. */
const ROOM = { head: 24, more: 26, below: 13, agents: 6 };

function makeFigure(name) {
  const node = make("div", "figure");
  node.dataset.figure = name;
  const label = make("span", "label");
  const value = make("button", "value");
  value.type = "button";
  value.tabIndex = -1;
  value.dataset.figure = name;
  const number = make("span", "digits");
  const arrow = make("span", "arrow");
  const below = make("span", "below");
  const track = make("span", "track");
  label.setAttribute("aria-hidden", "true");
  below.setAttribute("aria-hidden", "true");
  value.append(number, arrow);
  node.append(label, value, below);
  if (name === "occupancy") {
    track.append(make("span", "track-band"), make("span", "track-at"));
    below.append(track, make("span", "arrow"));
  }
  const arrows = [arrow, below.lastChild].filter(Boolean);
  return { node, label, value, number, below, track, arrows };
}

function makeAgents() {
  const node = make("div", "agents");
  node.setAttribute("role", "img");
  const bar = make("div", "agent-bar");
  const counts = make("div", "agent-counts");
  const groups = {};
  for (const group of GROUPS) {
    const segment = make("span", `segment segment-${group}`);
    const count = make("span", `agent-count agent-count-${group}`);
    const word = make("span", "agent-word");
    const number = make("b");
    count.append(shape(group), word, number);
    bar.append(segment);
    counts.append(count);
    groups[group] = { segment, word, number };
  }
  node.append(bar, counts);
  return { node, groups };
}

function makeFrozen() {
  const node = make("div", "frozen");
  const lines = ["frozen-word", "frozen-since", "frozen-why", "frozen-when"].map((name) => make("p", name));
  node.append(...lines);
  return { node, lines };
}

function setBelow(node, text) {
  setText(node, text);
  setAttribute(node, "data-tight", text.length > ROOM.below ? "" : null);
}

/** A queue's article. `show(view, context)` fills it; `view` null while loading. */
export class QueueArticle {
  constructor() {
    this.node = make("article", "queue");
    const head = make("div", "queue-head");
    const title = make("div", "title");
    this.channel = shape("phone", "channel");
    this.name = make("h3", "name");
    title.append(this.channel, this.name);
    const state = make("div", "state");
    this.shape = shape("normal");
    const words = make("span", "words");
    this.word = make("span", "word");
    this.more = make("span", "more");
    words.append(this.word, this.more);
    state.append(this.shape, words);
    head.append(title, state);
    this.figures = Object.fromEntries(FIGURES.map((name) => [name, makeFigure(name)]));
    const now = make("div", "figures-now");
    const window = make("div", "figures-window");
    now.append(this.figures.longest.node, this.figures.waiting.node);
    window.append(...FIGURES.slice(2).map((name) => this.figures[name].node));
    this.frozen = makeFrozen();
    this.trend = makeTrend();
    this.agents = makeAgents();
    this.age = make("span", "age");
    this.node.append(head, this.frozen.node, now, this.trend.node, window, this.agents.node, this.age);
  }

  show(view, context) {
    const { texts } = context;
    const state = view?.state ?? "loading";
    setAttribute(this.node, "data-state", state);
    setAttribute(this.node, "data-look", view?.look ?? "loading");
    setAttribute(this.node, "data-taken", view?.isTaken ? "" : null);
    setAttribute(this.node, "data-items", view?.hasItems ? "" : null);
    setShape(this.shape, state);
    setText(this.word, texts.states[state]);
    this.#showFigures(view, context);
    if (!view) return;
    setShape(this.channel, view.row.channel);
    setText(this.name, view.row.short || view.row.label);
    setAttribute(this.name, "title", view.row.label);
    setAttribute(this.node, "aria-label", [view.row.label, texts.channels[view.row.channel], this.#words(view, context)].join(", "));
    this.#showWords(view, context);
    this.#showFrozen(view, context);
    this.#showAgents(view, context);
    this.drawTrend = () => this.#drawTrend(view, context);
    this.drawTrend();
    const age = view.ageMs === null ? format.DASH : format.age(view.ageMs / 1000, context.lang);
    setText(this.age, age);
  }

  /** For speech. */
  #words(view, context) {
    const detail = view.state === "no_data" ? noContact(context) : stateDetail(view, context);
    return [context.texts.states[view.state], detail].filter(Boolean).join(" · ");
  }

  #showWords(view, context) {
    const { texts, isTv } = context;
    const whole = wholeSentence(view, context);
    const detail = isTv ? tileDetail(view, context) : stateDetail(view, context);
    setText(this.word, !isTv && whole ? whole : texts.states[view.state]);
    setAttribute(this.word, "title", view.state === "no_data" ? noContact(context) : null);
    const letters = this.name.textContent.length + this.word.textContent.length;
    const isTight = isTv && !context.isRoomy;
    setAttribute(this.node, "data-tight", isTight && letters > ROOM.head ? "" : null);
    const hasRoom = !isTight || letters + detail.length + 3 <= ROOM.more;
    setText(this.more, detail && hasRoom && !(whole && !isTv) ? `${format.NBSP}· ${detail}` : "");
  }

  #showFigures(view, context) {
    for (const name of FIGURES) {
      const held = this.figures[name];
      const shown = view ? figure(name, view, context) : unknownFigure();
      setText(held.label, labelOf(name, view, context));
      setFigure(held.number, shown.parts);
      setAttribute(held.node, "data-cause", view?.cause === name ? "" : null);
      setAttribute(held.node, "data-form", shown.form ?? null);
      setAttribute(held.node, "data-na", shown.isNotApplicable ? "" : null);
      const fullText = view ? fullName(name, view, shown, context) : context.texts.fullNames[name];
      setAttribute(held.value, "aria-label", fullText);
      setAttribute(held.value, "title", isOfItems(name, view) || shown.hasMore ? fullText : null);
      if (name === "occupancy") this.#showTrack(held, shown);
      else setBelow(held.below, shown.below ?? "");
    }
    if (context.isTv && view?.state !== "stale") {
      setText(this.figures.longest.label, `${labelOf("longest", view, context)} · ${besideLongest(view, context)}`);
    }
  }

  #showTrack({ track, arrows }, shown) {
    setShown(track, Boolean(shown.track));
    for (const arrow of arrows) setText(arrow, shown.arrow ?? "");
    if (!shown.track) return;
    const { at, low, high } = shown.track;
    track.style.setProperty("--at", String(Math.min(1, Math.max(0, at))));
    track.style.setProperty("--low", String(low));
    track.style.setProperty("--span", String(high - low));
  }

  #showFrozen(view, { texts, lang }) {
    const isFrozen = view.state === "stale";
    setShown(this.frozen.node, isFrozen);
    if (!isFrozen) return;
    const [word, since, why, when] = this.frozen.lines;
    setText(word, texts.states.stale);
    setText(since, view.ageMs === null ? "" : texts.since(elapsed(view.ageMs, lang)));
    setText(why, whyFrozen(view, texts));
    setText(when, view.heardMs === null ? texts.lastFiguresUnknown : texts.lastFigures(format.clock(view.heardMs, view.timeZone)));
  }

  #showAgents(view, { texts, lang }) {
    const known = view.isKnown;
    for (const group of GROUPS) {
      const { segment, word, number } = this.agents.groups[group];
      const count = view.agents[group];
      segment.style.setProperty("--n", String(known ? count : 0));
      setShown(segment, known && count > 0);
      setText(word, texts.agentsShort[group] ?? "");
      setText(number, known ? format.count(count, lang) : format.DASH);
    }
    const digits = GROUPS.slice(1).map((group) => this.agents.groups[group].number.textContent).join("");
    setAttribute(this.agents.node, "data-tight", digits.length > ROOM.agents ? "" : null);
    const spoken = GROUPS.map((group) => `${view.agents[group]} ${texts.agents[group]}`).join(", ");
    setAttribute(this.agents.node, "aria-label", `${texts.columns.agents}, ${view.row.label}, ${known ? spoken : texts.noValue}`);
  }

  #drawTrend(view, { lang, isTv }) {
    const limitS = view.row.limits.wait_s;
    const limitText = format.limit(limitS, lang);
    const points = view.isKnown ? view.row.trend.longest_wait_s : [];
    const labelPx = 6 + limitText.length * (isTv ? LETTER_PX.tv : LETTER_PX.desk);
    drawTrend(this.trend, { points, limitS, limitText, labelPx });
  }
}

/** What stands over a figure. */
function labelOf(name, view, { texts, isTv }) {
  if (isOfItems(name, view)) return texts.itemLabels[name];
  return isTv ? texts.labels[name] : texts.columns[name] ?? texts.labels[name];
}

/** What follows the label of the longest wait on a tile: the mean; of items, the age within the hours. */
function besideLongest(view, context) {
  const { texts } = context;
  const business = view?.hasItems ? figure("longest", view, context).business : null;
  if (business) return texts.business(business);
  return texts.mean(view ? format.plain(figure("asa", view, context).parts) : format.DASH);
}

const elapsed = (ms, lang) => format.plain(format.duration(ms / 1000, lang));

function whyFrozen(view, texts) {
  if (view.reason === "page") return texts.pageCut;
  return view.reason === "worker" ? texts.workerSilent : texts.sourceSilent(view.silent);
}

/** « Aucun contact depuis 15 min. n = 0 ». */
function noContact({ texts, window }) {
  return texts.noContact(texts.minutes(windowMinutes(window)));
}

/** States whose whole sentence replaces the word where there is room for it. */
function wholeSentence(view, context) {
  const { texts, lang } = context;
  if (view.state === "stale" && view.ageMs !== null) return texts.staleSince(elapsed(view.ageMs, lang));
  if (view.state === "catching_up") return texts.behind(format.age(view.row.behind_s, lang));
  if (view.state === "closed" && view.row.changes_ms !== null) return closedUntil(view, context);
  if (view.state === "no_data") return texts.noContactFor(texts.minutes(windowMinutes(context.window)));
  return null;
}

function closedUntil({ row, timeZone }, { texts, lang, nowMs }) {
  const isToday = format.date(row.changes_ms, timeZone) === format.date(nowMs, timeZone);
  const day = isToday ? null : format.weekday(row.changes_ms, timeZone, lang);
  return texts.closedUntil(format.opening(row.changes_ms, timeZone), day);
}

/** What follows the word in a row: who is on it, else since when. */
function stateDetail(view, { texts, lang, nowMs }) {
  const { alert } = view;
  if (!alert) return "";
  if (alert.state === "acknowledged") return texts.isOnIt(alert.acknowledged_by);
  if (alert.state === "snoozed") return texts.states.snoozed;
  if (alert.flapping) return texts.flipsShort(alert.episodes_10m);
  return format.plain(format.duration((nowMs - alert.crossed_ms) / 1000, lang));
}

/** What follows the word on a tile, where there is room: how far behind, when it opens, how old. */
function tileDetail(view, { texts, lang }) {
  if (view.state === "catching_up") return format.age(view.row.behind_s, lang);
  if (view.state === "closed" && view.row.changes_ms !== null) return format.opening(view.row.changes_ms, view.timeZone);
  if (view.alert?.flapping) return String(view.alert.episodes_10m);
  if (view.isLive && view.ageMs >= AGE_SHOWN_FROM_MS) return format.age(view.ageMs / 1000, lang);
  return "";
}
