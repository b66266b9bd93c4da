// The connection to the live board: opens it, reads frames, asks for what it missed on a gap and
// after a cut, reconnects.
// Back-off with jitter, 5 s at most. 1008 (not allowed) ends it: asking again would not help.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 5_000;
const SILENT_MS = 6_000;
const NOT_ALLOWED = 1008;

/** Milliseconds before attempt number `attempt` (0, 1, 2…); `random` in [0, 1). */
export function backOff(attempt, random) {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  return longest * (0.5 + 0.5 * random);
}

/** The address for one who has been here before: the server waits for what it has to say. */
function resumeUrl(address) {
  const url = new URL(address);
  url.searchParams.set("resume", "1");
  return url.href;
}

/** `take(frame)` answers "taken", "gap" or "ignored"; `position()` gives {epoch, seq}. */
export class Live {
  #socket = null;
  #timer = null;
  #attempt = 0;
  #heardAt = null;
  #hasAsked = false;
  /** Monotonic instant of the next attempt; null while one is under way. */
  retryAt = null;
  isDenied = false;

  constructor({ url, take, position, onFrame, onChange, monotonic }) {
    Object.assign(this, { url, take, position, onFrame, onChange, monotonic });
  }

  open() {
    clearTimeout(this.#timer);
    this.#drop();
    this.retryAt = null;
    this.#heardAt = this.monotonic();
    this.#hasAsked = false;
    const held = this.position();
    const socket = new WebSocket(held.epoch === null ? this.url : resumeUrl(this.url));
    this.#socket = socket;
    if (held.epoch !== null) socket.addEventListener("open", () => this.#resume(socket));
    socket.addEventListener("message", ({ data }) => this.#hear(socket, data));
    socket.addEventListener("close", ({ code }) => this.#closed(socket, code));
    this.onChange();
  }

  /** Called each second: a connection that says nothing is given up. */
  watch() {
    if (this.#socket && this.monotonic() - this.#heardAt > SILENT_MS) {
      const socket = this.#socket;
      this.#drop();
      this.#closed(socket, null);
    }
  }

  /** A person does not want to wait for the next attempt. */
  retryNow() {
    if (!this.isDenied && this.retryAt !== null) this.open();
  }

  #hear(socket, data) {
    if (socket !== this.#socket) return;
    const frame = JSON.parse(data);
    const outcome = this.take(frame);
    if (outcome === "gap") {
      this.#askAgain(socket);
      return;
    }
    this.#heardAt = this.monotonic();
    this.#hasAsked = false;
    this.#attempt = 0;
    this.onFrame(frame);
  }

  /** Once per gap: frames already under way are gaps too. Without an answer `watch` reconnects. */
  #askAgain(socket) {
    if (this.#hasAsked) return;
    this.#hasAsked = true;
    this.#resume(socket);
  }

  /** Says what we hold; the answer is what we missed, or the whole board. */
  #resume(socket) {
    socket.send(JSON.stringify({ type: "resume", ...this.position() }));
  }

  #closed(socket, code) {
    if (this.#socket !== null && socket !== this.#socket) return;
    if (this.retryAt !== null) return;
    this.#socket = null;
    if (code === NOT_ALLOWED) {
      this.isDenied = true;
    } else {
      const delay = backOff(this.#attempt, Math.random());
      this.#attempt += 1;
      this.retryAt = this.monotonic() + delay;
      this.#timer = setTimeout(() => this.open(), delay);
    }
    this.onChange();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
