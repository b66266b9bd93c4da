// The queues on the page: one article each, kept by key, in a fixed order; loading, empty and
// refused boards say so in words.

import { alertsOf } from "./alerts.js";
import { queueKey, rowsInOrder } from "./board.js";
import { arrange, make, setAttribute, setShown, setText } from "./dom.js";
import { queueView } from "./model.js";
import { withoutParameter } from "./options.js";
import { isOnPage, pageAt } from "./pages.js";
import { QueueArticle } from "./queue.js";
import { setShape, shape } from "./shapes.js";

const LOADING_TILES = 8;
const COLUMNS = ["queue", "waiting", "longest", "asa", "service", "abandonment", "occupancy", "agents", "trend", "age"];

/** Views of every queue by key, in the order of the wall. */
export function viewsOf(board, context, wanted) {
  const views = new Map();
  for (const row of rowsInOrder(board, wanted)) {
    const site = board.sites.get(row.site);
    const alerts = alertsOf(board, row.site, row.queue);
    views.set(queueKey(row.site, row.queue), queueView(row, { ...context, site, alerts }));
  }
  return views;
}

const needsHands = (view) => view.state === "critical" && !view.isTaken;

/** The page of tiles to show; rows are never paged. */
export function pageOf(views, { isTv, nowMs }) {
  if (!isTv) return { page: 0, pages: 1 };
  return pageAt(nowMs ?? 0, [...views.values()].map(needsHands));
}

/** The board's section. */
export class Wall {
  #articles = new Map();
  #loading = [];
  #observer;

  constructor(nodes) {
    this.nodes = nodes;
    this.noticeShape = shape("");
    nodes.notice.prepend(this.noticeShape);
    this.#observer = new ResizeObserver(() => {
      for (const article of this.#articles.values()) article.drawTrend?.();
    });
    this.#observer.observe(nodes["queue-list"]);
  }

  label({ texts }) {
    this.nodes.columns.replaceChildren(
      ...COLUMNS.map((name) => make("span", `column column-${name}`, texts.columns[name])),
    );
  }

  show(views, context) {
    const { nodes } = this;
    const { isFirst, isDenied } = context;
    const notice = isDenied ? "denied" : isFirst ? "loading" : views.size === 0 ? "empty" : null;
    setAttribute(nodes.queues, "data-notice", notice);
    setAttribute(nodes["queue-list"], "data-count", tileCount(notice === "loading" ? LOADING_TILES : views.size));
    setAttribute(nodes["queue-list"], "aria-busy", notice === "loading" ? "true" : null);
    this.#showNotice(notice, context);
    if (isDenied) arrange(nodes["queue-list"], []);
    else if (isFirst) arrange(nodes["queue-list"], this.#loadingTiles(context));
    else this.#showQueues(views, context);
  }

  #showQueues(views, context) {
    for (const key of this.#articles.keys()) if (!views.has(key)) this.#articles.delete(key);
    const articles = [...views].map(([key, view], index) => {
      if (!this.#articles.has(key)) this.#articles.set(key, new QueueArticle());
      const article = this.#articles.get(key);
      setAttribute(article.node, "data-key", key);
      setShown(article.node, isOnPage(index, context.page.page) || !context.isTv);
      return article;
    });
    arrange(this.nodes["queue-list"], articles.map((article) => article.node));
    articles.forEach((article, index) => article.show([...views.values()][index], context));
  }

  #loadingTiles(context) {
    while (this.#loading.length < LOADING_TILES) this.#loading.push(new QueueArticle());
    for (const article of this.#loading) article.show(null, context);
    return this.#loading.map((article) => article.node);
  }

  #showNotice(notice, { texts, wanted }) {
    const { nodes } = this;
    const [title, text] = {
      loading: [texts.loading, ""],
      empty: [texts.emptyTitle, texts.emptyAdvice],
      denied: [texts.denied, ""],
    }[notice] ?? ["", ""];
    setShown(nodes.notice, notice !== null);
    setShape(this.noticeShape, notice === "denied" ? "closed" : "");
    setText(nodes["notice-title"], title);
    setText(nodes["notice-text"], text);
    const isNarrowed = notice === "empty" && Boolean(wanted); // others may be known
    setShown(nodes["notice-choose"], isNarrowed);
    setText(nodes["notice-choose"], texts.chooseQueues);
    setShown(nodes["notice-link"], isNarrowed);
    setText(nodes["notice-link"], texts.seeAll);
    setAttribute(nodes["notice-link"], "href", withoutParameter(location.search, "queues"));
  }
}

/** Which grid the tiles stand in: 6 (3×2) or 8 (4×2). */
function tileCount(queues) {
  return queues <= 6 ? "6" : "8";
}
