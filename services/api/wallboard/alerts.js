// What the alert strip holds, and in which order. Pure.

import { look, rank, RESOLVED_STAYS_MS } from "./model.js";
import { queueKey } from "./board.js";

const SOON_RANK = 5;
const OPEN = ["firing", "acknowledged", "snoozed", "suppressed"];

const isShown = (alert, nowMs) =>
  OPEN.includes(alert.state) || (alert.state === "resolved" && nowMs - alert.resolved_ms < RESOLVED_STAYS_MS);

/** An alert of a queue that is not live is suspended, whatever the last frame said of it. */
function asSeen(alert, view) {
  const doubtful = view && ["stale", "unknown"].includes(view.state) && OPEN.includes(alert.state);
  return doubtful ? { ...alert, state: "suppressed" } : alert;
}

const SHAPE = { suppressed: "stale", resolved: "resolved", snoozed: "snoozed" };

function alertItem(alert, view) {
  const seen = asSeen(alert, view);
  const isCalm = ["suppressed", "resolved", "snoozed"].includes(seen.state);
  return {
    key: seen.alert_id,
    kind: "alert",
    alert: seen,
    view,
    rank: rank(seen),
    look: isCalm ? seen.state : look(seen),
    shape: SHAPE[seen.state] ?? (seen.flapping ? "flapping" : look(seen)),
    isTaken: seen.state === "acknowledged",
    canTake: ["firing", "snoozed"].includes(seen.state),
    canSnooze: seen.state === "firing",
    canClose: seen.state === "acknowledged",
    sinceMs: seen.crossed_ms,
  };
}

/** Items of the strip in their order: alerts that are open or just over, then forecasts. */
export function stripItems(board, views, nowMs) {
  const items = [];
  for (const alert of board.alerts.values()) {
    if (isShown(alert, nowMs)) items.push(alertItem(alert, views.get(queueKey(alert.site, alert.queue))));
  }
  for (const [key, view] of views) {
    if (view.state !== "soon") continue;
    items.push({ key: `soon ${key}`, kind: "soon", view, rank: SOON_RANK, look: "soon", shape: "soon", sinceMs: 0 });
  }
  return items.sort((a, b) => a.rank - b.rank || a.sinceMs - b.sinceMs || (a.key < b.key ? -1 : 1));
}

/** Criticals that nobody has taken: the number before the page's title. */
export function untakenCriticals(items) {
  return items.filter((item) => item.kind === "alert" && item.rank === 0);
}

/** Alerts of one queue. */
export function alertsOf(board, site, queue) {
  return [...board.alerts.values()].filter((alert) => alert.site === site && alert.queue === queue);
}
