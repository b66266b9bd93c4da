// Choosing the queues of a board that shows none: those of the site that are known, put into the
// address, so that the board can be linked to and comes back after a reload.

import { make, setText } from "./dom.js";

/** Known queues once each, [id, label], by label. `board` is the answer of GET /api/v1/board. */
export function knownQueues(board) {
  const labels = new Map();
  for (const { queues } of board.sites) for (const row of queues) labels.set(row.queue, row.label);
  return [...labels].sort(([, a], [, b]) => a.localeCompare(b));
}

/** The dialog « Files à surveiller ». `onChosen(ids)` gets what was ticked, one at least. */
export class ChooseDialog {
  constructor(nodes, { site, wanted, onChosen }) {
    this.nodes = nodes;
    this.site = site;
    this.wanted = wanted ?? [];
    this.dialog = nodes["choose-dialog"];
    nodes["choose-ok"].value = "ok";
    nodes["notice-choose"].addEventListener("click", () => this.open());
    nodes["choose-cancel"].addEventListener("click", () => this.dialog.close("cancel"));
    nodes["choose-list"].addEventListener("change", () => this.#allow());
    this.dialog.addEventListener("close", () => {
      if (this.dialog.returnValue === "ok") onChosen(this.#ticked());
    });
  }

  label({ texts }) {
    this.texts = texts;
    setText(this.nodes["choose-title"], texts.chooseTitle);
    setText(this.nodes["choose-cancel"], texts.cancel);
    setText(this.nodes["choose-ok"], texts.chooseShow);
  }

  async open() {
    this.dialog.returnValue = "";
    this.#list([], this.texts.loading);
    this.dialog.showModal();
    try {
      const found = await this.#known();
      this.#list(found, found.length ? "" : this.texts.chooseNone);
    } catch {
      this.#list([], this.texts.chooseFailed);
    }
  }

  async #known() {
    const url = new URL("api/v1/board?window=5m", document.baseURI);
    if (this.site) url.searchParams.set("site", this.site);
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`board: ${answer.status}`);
    return knownQueues(await answer.json());
  }

  #list(queues, hint) {
    this.nodes["choose-list"].replaceChildren(...queues.map(([id, label]) => choice(id, label, this.wanted.includes(id))));
    setText(this.nodes["choose-hint"], hint);
    this.#allow();
    this.nodes["choose-list"].querySelector("input")?.focus();
  }

  #ticked() {
    return [...this.nodes["choose-list"].querySelectorAll("input:checked")].map((box) => box.value);
  }

  #allow() {
    this.nodes["choose-ok"].disabled = this.#ticked().length === 0;
  }
}

function choice(id, label, isTicked) {
  const box = make("input");
  box.type = "checkbox";
  box.value = id;
  box.checked = isTicked;
  const line = make("label", "switch");
  line.append(box, make("span", "", label));
  const item = make("li");
  item.append(line);
  return item;
}
