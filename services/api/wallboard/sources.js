// The source panel: where everything comes from, and how each source stands. Opened from the header or
// with S; read anew every two seconds while it is open. What a row says is pure.

import * as format from "./format.js";
import { make, setAttribute, setShown, setText } from "./dom.js";
import { shape } from "./shapes.js";

const EVERY_MS = 2000;
const IN_ORDER = ["connected", "listening"];

/** Of who posts by himself there is no connection to speak of. */
const posts = ({ state, kind }) => state === null || kind === "http";

/** The shape of a source: hatched when it is not to be trusted, a filled dot when all is well. */
export function lookOf(source) {
  if (posts(source)) return source.freshness === "live" ? "live" : source.freshness;
  if (!IN_ORDER.includes(source.state)) return "warning";
  return source.freshness === "stale" ? "stale" : "live";
}

/** « Connectée depuis 14:02:07 », « Perdue : 10.0.0.1:5038 ne répond pas ». */
export function stateText(source, { texts, timeZone }) {
  const words = texts.sourceStates;
  if (posts(source)) return source.heard_ms === null ? words.unknown : words.posting;
  const since = source.connected_ms && texts.sourceSince(format.clock(source.connected_ms, timeZone));
  return [words[source.state], source.reason ?? since].filter(Boolean).join(texts.sourceColon(source.reason));
}

const sorted = (counts) => Object.entries(counts ?? {}).sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
const listed = (counts, { lang }) => sorted(counts).map(([word, n]) => `${word} ${format.count(n, lang)}`).join(", ");

/** What can be said of a source: [word, sentence] each, without what is empty. */
export function details(source, context) {
  const { texts, lang, timeZone, nowMs } = context;
  const ago = (ms) => (ms === null ? null : texts.ago(format.age((nowMs - ms) / 1000, lang)));
  return [
    [texts.sourceId, source.label && source.source],
    [texts.sourceLast, ago(source.event_ms ?? source.heard_ms)],
    [texts.sourceSkew, source.skew_ms ? texts.milliseconds(format.count(source.skew_ms, lang)) : null],
    [texts.sourceReconnects, source.reconnects ? format.count(source.reconnects, lang) : null],
    [texts.sourceTypes, listed(source.types, context)],
    [texts.sourceUnknown, listed(source.unknown, context)],
    [texts.sourceUnsigned, listed(named(source.unsigned, texts.unsigned), context)],
    [texts.sourceOpen, source.is_open ? texts.sourceOpenText : null],
    [texts.sourceProcesses, processes(source, context)],
    [texts.sourceCounted, source.since_ms === null ? null : format.clock(source.since_ms, timeZone)],
  ].filter(([, text]) => text);
}

const named = (counts, words) =>
  Object.fromEntries(Object.entries(counts ?? {}).map(([word, n]) => [words[word] ?? word, n]));

/** Several processes of ingest: how many of them are connected. */
function processes(source, { texts }) {
  if (source.instances.length < 2) return null;
  const good = source.instances.filter(({ state }) => IN_ORDER.includes(state)).length;
  return texts.sourceOfProcesses(good, source.instances.length);
}

/** The panel. `read()` gives the answer of GET /api/v1/sources. */
export class SourcesPanel {
  #timer = null;
  #open = new Set();

  constructor(nodes, { read, context }) {
    this.nodes = nodes;
    this.read = read;
    this.context = context;
    this.dialog = nodes["sources-dialog"];
    nodes.sources.addEventListener("click", () => this.open());
    this.dialog.addEventListener("close", () => clearTimeout(this.#timer));
  }

  label({ texts }) {
    setText(this.nodes.sources, texts.sources);
    setText(this.nodes["sources-title"], texts.sources);
    setText(this.nodes["sources-close"], texts.close);
  }

  open() {
    if (this.dialog.open) return;
    this.nodes["sources-list"].replaceChildren();
    this.#hint(this.context().texts.loading);
    this.dialog.showModal();
    this.#refresh();
  }

  async #refresh() {
    clearTimeout(this.#timer);
    const { texts } = this.context();
    try {
      const { sources } = await this.read();
      if (this.dialog.open) this.#show(sources);
      this.#hint(sources.length ? "" : texts.sourcesNone);
    } catch {
      this.#hint(texts.sourcesFailed);
    }
    if (this.dialog.open) this.#timer = setTimeout(() => this.#refresh(), EVERY_MS);
  }

  #hint(text) {
    setText(this.nodes["sources-hint"], text);
    setShown(this.nodes["sources-hint"], text !== "");
  }

  /** Whole rows anew, but what was opened stays open and what had the focus keeps it. */
  #show(sources) {
    const list = this.nodes["sources-list"];
    const focused = document.activeElement?.closest?.(".source")?.dataset.source;
    list.replaceChildren(...sources.map((source) => this.#row(source)));
    if (focused) list.querySelector(`[data-source="${CSS.escape(focused)}"] summary`)?.focus();
  }

  #row(source) {
    const context = this.context();
    const key = `${source.site}/${source.source}`;
    const row = make("details", "source");
    setAttribute(row, "data-source", key);
    setAttribute(row, "data-look", lookOf(source));
    row.open = this.#open.has(key);
    row.addEventListener("toggle", () => (row.open ? this.#open.add(key) : this.#open.delete(key)));
    row.append(summary(source, context), body(source, context));
    return row;
  }
}

function summary(source, context) {
  const { texts, lang } = context;
  const line = make("summary");
  const name = make("span", "source-name", source.label ?? source.source);
  const kind = make("span", "source-kind", [texts.sourceKinds[source.kind] ?? source.kind, source.site].join(" · "));
  const events = source.events === null ? "" : texts.sourceEvents(format.count(source.events, lang), source.events);
  const letters = source.dead_letters ? texts.deadLetters(format.count(source.dead_letters, lang), source.dead_letters) : "";
  const counts = make("span", "source-counts", [events, letters].filter(Boolean).join(" · "));
  line.append(shape(lookOf(source)), name, kind, make("span", "source-state", stateText(source, context)), counts);
  return line;
}

function body(source, context) {
  const { texts, timeZone } = context;
  const box = make("div", "source-body");
  const rows = make("dl");
  rows.append(...details(source, context).flatMap(([word, text]) => [make("dt", "", word), make("dd", "", text)]));
  box.append(rows);
  if (source.letters.length > 0) {
    const list = make("ul", "letters");
    list.append(...source.letters.map((letter) => letterLine(letter, texts, timeZone)));
    box.append(make("h3", "", texts.deadLettersTitle), list);
  }
  return box;
}

/** What is kept of a dead letter: when, why, how large, and how its sender finds it again. */
function letterLine({ received_ms, reason, detail, size, sha256 }, texts, timeZone) {
  const item = make("li");
  item.append(
    make("span", "letter-time", format.clock(received_ms, timeZone)),
    make("span", "letter-why", `${texts.reasons[reason] ?? reason}${texts.sourceColon(true)}${detail}`),
    make("span", "letter-mark", `${texts.bytes(size)} · sha256 ${sha256.slice(0, 12)}…`),
  );
  return item;
}
