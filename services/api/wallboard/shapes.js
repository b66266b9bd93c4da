// Every shape of the board, drawn here: states, alert steps, channels, agents, the logo.
// A shape is never alone: its word stands beside it, so shapes are hidden from speech.

const SVG = "http://www.w3.org/2000/svg";
const LINE = { fill: "none", stroke: "currentColor", "stroke-width": 2.2 };
const ROUND = { ...LINE, "stroke-linecap": "round", "stroke-linejoin": "round" };
const SOLID = { fill: "currentColor" };
const DASHED = { ...LINE, "stroke-dasharray": "3.2 2.8" };

const circle = (r, more) => ["circle", { cx: 12, cy: 12, r, ...more }];
const path = (d, more = ROUND) => ["path", { d, ...more }];
const MARK = { class: "shape-mark" };
const OCTAGON = "M7.6 1.4h8.8l6.2 6.2v8.8l-6.2 6.2H7.6l-6.2-6.2V7.6z";
const BUBBLE = "M3 4h18v13H9.5L5.5 20.5V17H3z";

const SHAPES = {
  normal: [circle(7.4, { ...LINE, "stroke-width": 2.5 })],
  soon: [
    path("M5.5 2.5h13M5.5 21.5h13M7.3 2.5v4.2L12 12l4.7-5.3V2.5M7.3 21.5v-4.2L12 12l4.7 5.3v4.2"),
    path("M8.6 20.6 12 16.4l3.4 4.2z", SOLID),
  ],
  warning: [
    path("M12 2.2 22.6 21H1.4z", { class: "shape-body", "stroke-linejoin": "round" }),
    path("M10.5 8h3l-.4 6.8h-2.2z", MARK),
    ["circle", { cx: 12, cy: 17.4, r: 1.6, ...MARK }],
  ],
  critical: [
    path(OCTAGON, { class: "shape-body" }),
    path("M10.3 5h3.4l-.5 9.2h-2.4z", MARK),
    ["circle", { cx: 12, cy: 17.6, r: 1.9, ...MARK }],
  ],
  stale: [
    ["rect", { x: 2.6, y: 2.6, width: 18.8, height: 18.8, rx: 2, ...DASHED }],
    path("M5 12 12 5M5 19 19 5M12 19l7-7", { ...ROUND, "stroke-width": 2 }),
  ],
  catching_up: [path("M4 5l7 7-7 7M13 5l7 7-7 7", { ...ROUND, "stroke-width": 2.6 })],
  unknown: [
    circle(9.4, DASHED),
    path("M9.2 9.4a2.8 2.8 0 1 1 4.3 2.4c-1 .6-1.5 1.1-1.5 2.2"),
    ["circle", { cx: 12, cy: 17, r: 1.3, ...SOLID }],
  ],
  no_data: [circle(9.2, DASHED), path("M7.8 12h8.4", { ...LINE, "stroke-width": 2.6 })],
  closed: [["rect", { x: 3.2, y: 3.2, width: 17.6, height: 17.6, rx: 2.5, ...LINE }], path("M8 12h8")],
  flapping: [path("M1.2 18h4.2V6.5h4.4V18h4.4V6.5h4.4V12h4.2", { ...LINE, "stroke-width": 2.6 })],
  taken: [circle(9.6, LINE), path("m7.6 12.4 3 3 5.8-6.4")],
  snoozed: [circle(9.6, LINE), path("M12 6.6V12l3.6 2.4")],
  resolved: [path("M5.2 8.2A8.3 8.3 0 1 1 3.7 13M4.6 3.4v5h5")],
  cut: [
    path("M9.6 7.2h3a4.8 4.8 0 0 1 3.6 8M6.8 8.9a4.8 4.8 0 0 0 3.6 7.9h3", { ...LINE, "stroke-width": 2.6 }),
    path("M3 3.2 21 21", { ...ROUND, "stroke-width": 2.8 }),
  ],
  live: [circle(7, SOLID)],
  phone: [
    path(
      "M4.2 3.4 7.6 2.8l2.2 4.6-2.2 2a13 13 0 0 0 6.2 6.4l2-2.2 4.8 2-.6 3.6c-.2 1-1 1.8-2 1.8" +
        "C10.4 21 3 13.6 2.6 5.6c0-1 .6-2 1.6-2.2z",
      { ...ROUND, "stroke-width": 1.9 },
    ),
  ],
  chat: [path(BUBBLE, { ...ROUND, "stroke-width": 2 }), path("M7 8.6h10M7 12.4h7", { ...ROUND, "stroke-width": 2 })],
  email: [
    circle(4, { ...LINE, "stroke-width": 2 }),
    path("M16 8v5.2a2.8 2.8 0 0 0 5.6 0V12A9.6 9.6 0 1 0 17.6 19.8", { ...ROUND, "stroke-width": 2 }),
  ],
  social: [
    ["circle", { cx: 5.5, cy: 12, r: 2.8, ...LINE, "stroke-width": 2 }],
    ["circle", { cx: 18, cy: 5.5, r: 2.8, ...LINE, "stroke-width": 2 }],
    ["circle", { cx: 18, cy: 18.5, r: 2.8, ...LINE, "stroke-width": 2 }],
    path("m8 10.7 7.5-3.9M8 13.3l7.5 3.9", { ...ROUND, "stroke-width": 2 }),
  ],
  letter: [
    ["rect", { x: 2, y: 4.5, width: 20, height: 15, rx: 1.5, ...LINE, "stroke-width": 2 }],
    path("m2.6 6 9.4 7 9.4-7", { ...ROUND, "stroke-width": 2 }),
  ],
  sms: [
    path(BUBBLE, { ...ROUND, "stroke-width": 2 }),
    ["circle", { cx: 8, cy: 10.5, r: 1.4, ...SOLID }],
    ["circle", { cx: 12, cy: 10.5, r: 1.4, ...SOLID }],
    ["circle", { cx: 16, cy: 10.5, r: 1.4, ...SOLID }],
  ],
  available: [circle(8, SOLID)],
  in_contact: [path("M12 2.5 21.5 12 12 21.5 2.5 12z", SOLID)],
  wrap_up: [circle(8, { ...LINE, "stroke-width": 2.4 }), path("M12 4a8 8 0 0 0 0 16z", SOLID)],
  paused: [["rect", { x: 4.5, y: 4, width: 5, height: 16, ...SOLID }], ["rect", { x: 14.5, y: 4, width: 5, height: 16, ...SOLID }]],
  offline: [circle(7.6, { ...LINE, "stroke-width": 2.6 })],
};

function drawn(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}

/** A new SVG element of any kind, with its attributes. */
export const svg = drawn;

/** A new shape, `aria-hidden`; `setShape` changes it later. */
export function shape(name, className = "shape") {
  const node = drawn("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", class: className });
  setShape(node, name);
  return node;
}

/** Redraws only when the name changes. An unknown name leaves the place empty. */
export function setShape(node, name) {
  if (node.dataset.shape === name) return;
  node.dataset.shape = name;
  node.replaceChildren(...(SHAPES[name] ?? []).map(([tag, attributes]) => drawn(tag, attributes)));
}
