// What a queue's tile or row shows, from its row, its alerts and the instant. Pure.
// When several states apply one wins, in the order of SPEC §6: what cannot be trusted first. One
// exception: closed wins over no data, see docs/decisions/0011.

import { rounded } from "./format.js";

export const CUT_AFTER_MS = 10_000;
export const RECONNECTING_AFTER_MS = 3_000;
const WORKER_SILENT_AFTER_MS = 3_000;
export const RESOLVED_STAYS_MS = 60_000;

/** Figure that each metric of a rule stands on; items have theirs in the places of the phone's. */
const CAUSE = {
  longest_wait_s: "longest",
  service_level: "service",
  abandonment: "abandonment",
  occupancy: "occupancy",
  "agents.available": "available",
  waiting: "waiting",
  backlog: "waiting",
  oldest_item_s: "longest",
  oldest_item_business_s: "longest",
  cleared: "abandonment",
  cleared_business: "abandonment",
};

/** Whether the page hears the server: live, reconnecting, cut. */
export function linkState(silenceMs) {
  if (silenceMs >= CUT_AFTER_MS) return "cut";
  return silenceMs >= RECONNECTING_AFTER_MS ? "reconnecting" : "live";
}

/** When the row's quietest source was last heard. The site's row, sent each second, may know later. */
export function heardMs(row, site) {
  const sources = (site?.sources ?? []).filter((source) => row.sources.includes(source.source));
  const known = sources.length === row.sources.length && sources.every((source) => source.heard_ms);
  if (!known || sources.length === 0) return row.heard_ms;
  return Math.max(row.heard_ms ?? 0, Math.min(...sources.map((source) => source.heard_ms)));
}

/** Place in the strip, smallest first: SPEC §8. */
export function rank(alert) {
  if (alert.state === "resolved") return 8;
  if (alert.state === "suppressed") return 7;
  if (alert.state === "snoozed") return 6;
  if (alert.flapping) return 3;
  if (alert.severity === "critical") return alert.state === "acknowledged" ? 1 : 0;
  return alert.state === "acknowledged" ? 4 : 2;
}

/** How an alert colours its queue: critical or warning (flapping never more than warning). */
export const look = (alert) => (alert.severity === "critical" && !alert.flapping ? "critical" : "warning");

const isActive = (alert) => ["firing", "acknowledged", "snoozed"].includes(alert.state);

/** The alert that gives the queue its state, or undefined. */
export function leadingAlert(alerts) {
  return alerts.filter(isActive).sort((a, b) => rank(a) - rank(b) || a.crossed_ms - b.crossed_ms)[0];
}

/** Freshness as the page must see it: a page that is cut off trusts nothing. */
function trust(row, site, context) {
  const { link, lastFrameMs } = context;
  const heard = heardMs(row, site);
  if (link === "cut") {
    return { freshness: "stale", reason: "page", heard: heard === null ? null : Math.min(heard, lastFrameMs) };
  }
  const isWorkerSilent = site?.freshness === "stale" && context.nowMs - site.as_of_ms > WORKER_SILENT_AFTER_MS;
  return { freshness: row.freshness, reason: isWorkerSilent ? "worker" : "source", heard };
}

function stateOf(row, freshness, alert, window) {
  if (freshness === "stale") return "stale";
  if (freshness === "unknown") return "unknown";
  if (freshness === "catching_up") return "catching_up";
  if (alert) return alert.flapping ? "flapping" : look(alert);
  if (row.pre_breach?.count > 0) return "soon";
  if (!row.open) return "closed";
  const isEmpty = row.waiting === 0 && !row.backlog?.open;
  if (isEmpty && window && window.offered === 0) return "no_data";
  return "normal";
}

/** The instant at which waits are read: they tick only while the row is live. Else they are as old
 *  as what was last heard: the row itself is written anew each second. */
function waitsReadAt(row, { freshness, heard }, nowMs) {
  return freshness === "live" ? nowMs : Math.min(heard ?? row.as_of_ms, row.as_of_ms);
}

function longestWait(row, trusted, nowMs) {
  if (row.oldest_entered_ms === null || row.waiting === 0) return null;
  return Math.max(0, (waitsReadAt(row, trusted, nowMs) - row.oldest_entered_ms) / 1000);
}

/** Age of the oldest open item by the calendar, which ticks as waits do. */
function oldestItem({ backlog, ...row }, trusted, nowMs) {
  if (!backlog || backlog.oldest_ms === null) return null;
  return Math.max(0, (waitsReadAt(row, trusted, nowMs) - backlog.oldest_ms) / 1000);
}

/** Sources of the row that are not heard, by the name people know. */
function silentSources(row, site) {
  return (site?.sources ?? [])
    .filter((source) => row.sources.includes(source.source) && source.freshness === "stale")
    .map((source) => source.label ?? source.source);
}

/** Everything a queue shows, as values. `context`: nowMs, window, link, lastFrameMs, site, alerts. */
export function queueView(row, context) {
  const { nowMs, site } = context;
  const trusted = trust(row, site, context);
  const window = row.windows[context.window] ?? null;
  const alert = leadingAlert(context.alerts);
  const state = stateOf(row, trusted.freshness, alert, window);
  const led = ["critical", "warning", "flapping"].includes(state) ? alert : null;
  return {
    row,
    window,
    state,
    look: state === "flapping" ? "warning" : state,
    alert: led,
    isTaken: Boolean(led && led.state !== "firing"),
    cause: led ? (CAUSE[led.metric] ?? null) : null,
    isLive: trusted.freshness === "live",
    isKnown: row.freshness !== "unknown",
    reason: trusted.reason,
    silent: silentSources(row, site),
    heardMs: trusted.heard,
    ageMs: trusted.heard === null ? null : Math.max(0, nowMs - trusted.heard),
    longestS: longestWait(row, trusted, nowMs),
    hasItems: Boolean(row.backlog),
    oldestS: oldestItem(row, trusted, nowMs),
    timeZone: site?.time_zone ?? "UTC",
    agents: agentCounts(row.agents),
  };
}

/** The five groups of the wall; ringing counts with contact, unreachable with offline. */
export function agentCounts(agents) {
  const groups = {
    available: agents.available,
    in_contact: agents.in_contact + agents.ringing,
    wrap_up: agents.wrap_up,
    paused: agents.paused,
    offline: agents.offline + agents.unreachable,
  };
  const present = groups.available + groups.in_contact + groups.wrap_up + groups.paused;
  return { ...groups, present, all: present + groups.offline };
}

/** "up" or "down" when a ratio is outside its band, else null. Whole percents are compared, as shown:
 *  85 % beside a band that ends at 85 % carries no arrow. */
export function outsideBand(value, [low, high]) {
  if (value === null || value === undefined) return null;
  const shown = rounded(value * 100);
  if (shown > rounded(high * 100)) return "up";
  return shown < rounded(low * 100) ? "down" : null;
}
