// The server's time, followed from frames. The browser's wall clock is not read: a screen whose
// clock is an hour off, or is set while it runs, shows the same ages as any other.

const JUMP_MS = 2000;
const KEPT = 30;

/** `monotonic` gives milliseconds that only grow (performance.now). */
export class ServerClock {
  #monotonic;
  #offsets = [];

  constructor(monotonic) {
    this.#monotonic = monotonic;
  }

  /** A frame written by the server at `asOfMs` has just arrived.
   *  A frame can only be delayed, so the largest offset seen lately is the truest; one that is far
   *  from it means that the machine slept or the server's clock was set: start anew. */
  hear(asOfMs) {
    const offset = asOfMs - this.#monotonic();
    if (this.isSet && Math.abs(offset - this.#offset) > JUMP_MS) this.#offsets = [];
    this.#offsets.push(offset);
    if (this.#offsets.length > KEPT) this.#offsets.shift();
  }

  get isSet() {
    return this.#offsets.length > 0;
  }

  get #offset() {
    return Math.max(...this.#offsets);
  }

  /** Server's epoch milliseconds now; null before the first frame. */
  now() {
    return this.isSet ? Math.floor(this.#monotonic() + this.#offset) : null;
  }
}
