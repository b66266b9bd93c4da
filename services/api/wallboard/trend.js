// The longest wait of the last hour, one point a minute, with the limit: a line drawn as SVG.
// `path` is pure. A minute without a value is a gap: the line is never joined over it.

import { svg } from "./shapes.js";
import { setAttribute, setText } from "./dom.js";

const TOP = 5;
const FOOT = 3;
const HEADROOM = 1.2;

/** Path data through the points that have a value; null breaks the line. */
export function path(points, x, y) {
  let isDown = false;
  const steps = [];
  points.forEach((value, index) => {
    if (value === null || value === undefined) {
      isDown = false;
      return;
    }
    steps.push(`${isDown ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
    if (!isDown && (points[index + 1] ?? null) === null) steps.push("h0");
    isDown = true;
  });
  return steps.join("");
}

/** An empty trend; `drawTrend` fills it. */
export function makeTrend() {
  const node = svg("svg", { class: "trend", "aria-hidden": "true" });
  const pieces = {
    foot: svg("path", { class: "trend-foot" }),
    limit: svg("path", { class: "trend-limit" }),
    line: svg("path", { class: "trend-line" }),
    last: svg("circle", { class: "trend-last", r: 4 }),
    label: svg("text", { class: "trend-label", dy: "0.35em" }),
  };
  node.append(...Object.values(pieces));
  return { node, pieces };
}

/** Draws into the space the layout gives; `labelPx` is kept free at the right for the limit. */
export function drawTrend({ node, pieces }, { points, limitS, limitText, labelPx }) {
  const width = node.clientWidth;
  const height = node.clientHeight;
  if (!width || !height) return;
  const plot = width - labelPx;
  const highest = Math.max(limitS * HEADROOM, ...points.map((value) => value ?? 0));
  const x = (index) => 2 + (index * (plot - 4)) / Math.max(1, points.length - 1);
  const y = (value) => height - FOOT - (value / highest) * (height - FOOT - TOP);
  const limitY = y(limitS).toFixed(1);
  setAttribute(node, "viewBox", `0 0 ${width} ${height}`);
  setAttribute(pieces.foot, "d", `M2 ${height - FOOT}H${plot}`);
  setAttribute(pieces.limit, "d", `M2 ${limitY}H${plot - 2}`);
  setAttribute(pieces.line, "d", path(points, x, y));
  setAttribute(pieces.label, "x", plot + 6);
  setAttribute(pieces.label, "y", limitY);
  setText(pieces.label, limitText);
  const last = points.length ? points[points.length - 1] : null;
  setAttribute(pieces.last, "visibility", last === null ? "hidden" : "visible");
  if (last !== null) {
    setAttribute(pieces.last, "cx", x(points.length - 1).toFixed(1));
    setAttribute(pieces.last, "cy", y(last).toFixed(1));
  }
}
