// What the address asks for: site, queues, window, language, layout. Pure.

export const WINDOWS = ["5m", "15m", "30m", "60m"];
const LANGUAGES = ["fr", "en"];
export const TV_FROM_PX = 1600;

/** Reads the query of the address; what is missing or unknown takes its default. */
export function parse(search, browserLanguages = []) {
  const query = new URLSearchParams(search);
  const asked = query.get("lang");
  const browser = browserLanguages.map((tag) => tag.slice(0, 2)).find((tag) => LANGUAGES.includes(tag));
  return {
    site: query.get("site"),
    queues: query.get("queues")?.split(",").filter(Boolean) ?? null,
    window: WINDOWS.includes(query.get("window")) ? query.get("window") : "15m",
    lang: LANGUAGES.includes(asked) ? asked : (browser ?? "fr"),
    view: ["tv", "desk"].includes(query.get("view")) ? query.get("view") : null,
  };
}

/** tv or desk: as asked, else by width. */
export function layoutFor(view, widthPx) {
  return view ?? (widthPx >= TV_FROM_PX ? "tv" : "desk");
}

/** The address of the socket, beside the page. */
export function socketUrl(pageUrl, { site, queues }) {
  const url = new URL("api/v1/live", pageUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (site) url.searchParams.set("site", site);
  if (queues) url.searchParams.set("queues", queues.join(","));
  return url.href;
}

/** The query with one parameter changed: for links and the address bar. */
export function withParameter(search, name, value) {
  const query = new URLSearchParams(search);
  query.set(name, value);
  return `?${query}`;
}

/** The query without one of its parameters. */
export function withoutParameter(search, name) {
  const query = new URLSearchParams(search);
  query.delete(name);
  return `?${query}`;
}
