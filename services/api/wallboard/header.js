// The band at the top, the title of the page, the legend at the bottom.

import * as format from "./format.js";
import { arrange, make, setAttribute, setShown, setText } from "./dom.js";
import { windowMinutes } from "./figures.js";
import { WINDOWS, withParameter } from "./options.js";
import { setShape, shape } from "./shapes.js";

const LEGEND = ["normal", "soon", "warning", "critical", "stale", "no_data"];
const AGENTS = ["available", "in_contact", "wrap_up", "paused", "offline"];
const LIMITS_SHOWN_FOR = ["phone", "chat"];

/** Header, title and legend. `nodes` are the elements of index.html by id. */
export class Header {
  constructor(nodes, { onWindow }) {
    this.nodes = nodes;
    this.dot = shape("live", "link-shape");
    nodes.link.prepend(this.dot);
    this.buttons = new Map(WINDOWS.map((window) => [window, makeWindowButton(window, onWindow)]));
    nodes["window-choice"].append(...this.buttons.values());
  }

  /** What does not change with frames: words of the language. */
  label({ texts, lang }) {
    const { nodes } = this;
    setText(nodes.skip, texts.skip);
    setText(nodes["window-label"], texts.window);
    const other = lang === "fr" ? "en" : "fr";
    setText(nodes.language, other.toUpperCase());
    setAttribute(nodes.language, "aria-label", texts.otherLanguage);
    setAttribute(nodes.language, "lang", other);
    setAttribute(nodes.language, "href", withParameter(location.search, "lang", other));
    setAttribute(nodes.help, "aria-label", texts.help);
    setText(nodes["alerts-title"], texts.alerts);
    setAttribute(nodes.queues, "aria-label", texts.queues);
    for (const [window, button] of this.buttons) {
      const minutes = windowMinutes(window);
      setText(button, minutes === 60 ? texts.minutes(minutes) : String(minutes));
      setAttribute(button, "aria-label", `${texts.window} ${texts.minutes(minutes)}`);
    }
    const states = LEGEND.map((state) => legendItem(state, texts.states[state]));
    nodes["legend-states"].replaceChildren(...states);
    nodes["legend-agents"].replaceChildren(...AGENTS.map((group) => legendItem(group, texts.agents[group])));
  }

  show(context) {
    const { nodes } = this;
    const { texts, board, nowMs, timeZone, window, untaken, page } = context;
    const site = siteLabel(board);
    setText(nodes.site, site);
    setText(nodes["window-now"], texts.minutes(windowMinutes(window)));
    for (const [name, button] of this.buttons) setAttribute(button, "aria-pressed", String(name === window));
    setText(nodes.clock, nowMs === null ? "" : format.clock(nowMs, timeZone));
    setShown(nodes.page, page.pages > 1);
    setText(nodes.page, `${page.page + 1} / ${page.pages}`);
    this.#showLink(context);
    const title = [site, texts.product].filter(Boolean).join(" · ");
    document.title = untaken > 0 ? `(${untaken}) ${title}` : title;
    arrange(nodes["legend-limits"], [limitsLine(context)]);
  }

  #showLink({ texts, lang, link, isFirst, isDenied, ageMs }) {
    const words = {
      live: isFirst ? texts.connecting : texts.live(format.age(Math.ceil(ageMs / 1000), lang)),
      reconnecting: texts.reconnecting,
      cut: texts.disconnected,
    };
    setShown(this.nodes.link, !isDenied);
    setAttribute(this.nodes.link, "data-link", link);
    setText(this.nodes["link-text"], words[link]);
    setShape(this.dot, link === "live" && !isFirst ? "live" : "cut");
  }
}

function makeWindowButton(window, onWindow) {
  const button = make("button", "choice");
  button.type = "button";
  button.addEventListener("click", () => onWindow(window));
  return button;
}

function legendItem(name, word) {
  const item = make("li", `legend-item legend-${name}`);
  item.append(shape(name), make("span", "", word));
  return item;
}

function siteLabel(board) {
  return [...board.sites.values()].map((site) => site.label ?? site.site).join(", ");
}

const same = (values) => (new Set(values).size === 1 ? values[0] : null);

/** « Limite d'attente téléphone et chat 2:00 · occupation cible 75–85 % · définitions du … »: only
 *  what holds for every queue of the kind is said. */
function limitsLine({ board, texts, lang, timeZone, window }) {
  const rows = [...board.queues.values()];
  const node = make("span");
  if (rows.length === 0) return node;
  const waits = LIMITS_SHOWN_FOR.map((channel) => rows.filter((row) => row.channel === channel))
    .filter((found) => found.length > 0)
    .map((found) => [texts.channels[found[0].channel], same(found.map((row) => row.limits.wait_s))])
    .filter(([, limit]) => limit !== null);
  const wait = same(waits.map(([, limit]) => limit)) !== null
    ? `${waits.map(([channel]) => channel).join(texts.and)} ${format.limit(waits[0][1], lang)}`
    : waits.map(([channel, limit]) => `${channel} ${format.limit(limit, lang)}`).join(", ");
  const band = same(rows.map((row) => row.limits.occupancy.join(" ")));
  const [low, high] = rows[0].limits.occupancy;
  const occupancy = band && `${format.rounded(low * 100)}–${format.share(high, lang)}`;
  const newest = Math.max(...rows.map((row) => row.windows[window]?.service_level.since_ms ?? 0));
  const since = newest > 0 ? format.date(newest, timeZone) : null;
  node.textContent = texts.legend(wait, occupancy, since).filter(Boolean).join(" · ");
  return node;
}
