// What a screen that is on all day needs: nothing stands on the same pixel for ever, and the
// pointer leaves when nobody moves it. Only the wall's style sheet uses either.

const IDLE_MS = 5_000;
const SHIFT_EVERY_MS = 600_000;
const PLACES = [[0, 0], [2, 0], [2, 2], [0, 2]];

/** Pixels by which the whole page stands aside at an instant; pure. */
export function shiftAt(nowMs) {
  return PLACES[Math.floor(nowMs / SHIFT_EVERY_MS) % PLACES.length];
}

/** Moves the page; called on every render. */
export function shift(body, nowMs) {
  const [x, y] = shiftAt(nowMs);
  body.style.setProperty("--shift-x", `${x}px`);
  body.style.setProperty("--shift-y", `${y}px`);
}

/** Marks the body `data-idle` after 5 s without a movement. */
export function hidePointerWhenIdle(body) {
  let timer = null;
  const moved = () => {
    body.removeAttribute("data-idle");
    clearTimeout(timer);
    timer = setTimeout(() => body.setAttribute("data-idle", ""), IDLE_MS);
  };
  addEventListener("pointermove", moved);
  moved();
}
