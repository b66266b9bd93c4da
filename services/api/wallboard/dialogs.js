// The two dialogs: who you are (asked once), and the keys. What they learn stays in this browser.

import { make, setText } from "./dom.js";

const NAME = "vigie.name";
const KEYS = "vigie.keys";

/** Reads and writes settings; a browser that refuses storage just asks again. */
export class Memory {
  #held = new Map();

  get(key) {
    try {
      return localStorage.getItem(key) ?? this.#held.get(key) ?? null;
    } catch {
      return this.#held.get(key) ?? null;
    }
  }

  set(key, value) {
    this.#held.set(key, value);
    try {
      localStorage.setItem(key, value);
    } catch {
      // Private mode: kept for this page only.
    }
  }
}

/** Asks the person's name once. */
export class NameDialog {
  #waiting = null;

  constructor(nodes, memory) {
    this.nodes = nodes;
    this.memory = memory;
    this.dialog = nodes["name-dialog"];
    nodes["name-cancel"].addEventListener("click", () => this.dialog.close("cancel"));
    nodes["name-ok"].value = "ok";
    this.dialog.addEventListener("close", () => this.#closed());
  }

  label({ texts }) {
    setText(this.nodes["name-label"], texts.askName);
    setText(this.nodes["name-hint"], texts.askNameHint);
    setText(this.nodes["name-cancel"], texts.cancel);
    setText(this.nodes["name-ok"], texts.confirm);
  }

  /** The name, or null when the person closed the dialog. */
  async name() {
    const known = this.memory.get(NAME);
    if (known) return known;
    if (this.dialog.open) return null;
    this.dialog.returnValue = "";
    this.dialog.showModal();
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  #closed() {
    const name = this.nodes.name.value.trim();
    const given = this.dialog.returnValue === "ok" && name ? name : null;
    if (given) this.memory.set(NAME, given);
    this.#waiting?.(given);
    this.#waiting = null;
  }
}

/** Help on the keys, and the switch for single keys. */
export class HelpDialog {
  constructor(nodes, memory) {
    this.nodes = nodes;
    this.memory = memory;
    this.box = nodes["single-keys"];
    this.box.checked = memory.get(KEYS) !== "off";
    this.box.addEventListener("change", () => memory.set(KEYS, this.box.checked ? "on" : "off"));
    nodes.help.addEventListener("click", () => this.open());
  }

  label({ texts }) {
    setText(this.nodes["help-title"], texts.helpTitle);
    setText(this.nodes["single-keys-label"], texts.singleKeys);
    setText(this.nodes["help-close"], texts.close);
    this.nodes["help-rows"].replaceChildren(...texts.helpRows.flatMap(([keys, meaning]) => helpRow(keys, meaning)));
  }

  get keysAreOn() {
    return this.box.checked;
  }

  open() {
    if (!this.nodes["help-dialog"].open) this.nodes["help-dialog"].showModal();
  }
}

function helpRow(keys, meaning) {
  const term = make("dt");
  term.append(...keys.split(" ").map((key) => make("kbd", "", key)));
  return [term, make("dd", "", meaning)];
}
