// What is said aloud by screen readers: two regions, empty from load. At most one message every
// 10 s, grouped; criticals and disconnection go to role=alert, all else to role=status.

const PACE_MS = 10_000;

/** What changed between two sets of strip items, as messages. Pure.
 *  `before`, `after`: maps of key → {rank, isTaken, state, look, flapping, name, text}. */
export function changes(before, after, texts) {
  const urgent = [];
  const calm = [];
  for (const [key, item] of after) {
    const old = before.get(key);
    if (!old && item.state === "firing") {
      if (item.look === "critical") urgent.push(item);
      else calm.push(texts.announceOne(texts.states[item.flapping ? "flapping" : "warning"], item.text));
    } else if (!old && item.state === "soon") {
      calm.push(texts.announceOne(texts.states.soon, item.text));
    } else if (old && old.state !== "acknowledged" && item.state === "acknowledged") {
      calm.push(texts.announceTaken(item.by, item.name));
    } else if (old && old.state !== "resolved" && item.state === "resolved") {
      calm.push(texts.announceOne(texts.states.resolved, item.name));
    }
  }
  return { urgent, calm };
}

/** « Critique : Facturation, attente max 3:12 », or several by name. */
export function criticalMessage(items, texts) {
  if (items.length === 1) return texts.announceOne(texts.states.critical, items[0].text);
  return texts.announceCritical(items.map((item) => item.name));
}

/** Speaks through the two regions. `speak` is called on every render; time is handed in. */
export class Announcer {
  #regions;
  #urgent = [];
  #cuts = [];
  #calm = [];
  #before = null;
  #spokeAt = null;
  #wasCut = false;

  constructor(regions) {
    this.#regions = regions;
  }

  /** Takes in the board as it is now; `isCut` says that the page is cut off. */
  take(items, isCut, texts) {
    const after = new Map(items.map((item) => [item.key, item]));
    const { urgent, calm } = changes(this.#before ?? new Map(), after, texts);
    this.#urgent.push(...urgent);
    this.#calm.push(...calm);
    if (isCut && !this.#wasCut) this.#cuts = [texts.disconnected];
    if (!isCut && this.#wasCut) this.#calm.push(texts.announceLive);
    this.#before = after;
    this.#wasCut = isCut;
  }

  /** Says what waits, when 10 s have passed since the last message. */
  speak(atMs, texts) {
    if (this.#spokeAt !== null && atMs - this.#spokeAt < PACE_MS) return;
    const isUrgent = this.#urgent.length + this.#cuts.length > 0;
    const words = isUrgent ? [...this.#cuts] : this.#calm;
    if (this.#urgent.length) words.push(criticalMessage(this.#urgent, texts));
    if (words.length === 0) return;
    this.#regions[isUrgent ? "alert" : "status"].textContent = words.join(". ");
    this.#spokeAt = atMs;
    if (isUrgent) {
      this.#urgent = [];
      this.#cuts = [];
    } else this.#calm = [];
  }
}
