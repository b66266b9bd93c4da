// The board as the server tells it: whole rows replaced frame by frame. Pure but for its own maps.
// A frame whose `prev` or `epoch` is not what we hold means that one was missed: nothing of it is
// taken, and the caller asks again.

import { RESOLVED_STAYS_MS } from "./model.js";

export const queueKey = (site, queue) => JSON.stringify([site, queue]);

/** An empty board, before the first snapshot. */
export function emptyBoard() {
  return { epoch: null, seq: null, sites: new Map(), queues: new Map(), alerts: new Map() };
}

/** Takes one frame. Returns "taken", "gap" (ask again) or "ignored" (a type we do not know). */
export function take(board, frame) {
  if (frame.type === "snapshot") return takeSnapshot(board, frame);
  if (!["update", "alert", "heartbeat"].includes(frame.type)) return "ignored";
  const follows = frame.epoch === board.epoch && frame.prev === board.seq;
  if (!follows) return "gap";
  board.seq = frame.seq;
  if (frame.type === "alert") takeAlert(board, frame.alert);
  if (frame.type === "update") takeUpdate(board, frame);
  if (frame.as_of_ms) forgetEnded(board, frame.as_of_ms);
  return "taken";
}

function takeSnapshot(board, frame) {
  board.epoch = frame.epoch;
  board.seq = frame.seq;
  board.sites = new Map();
  board.queues = new Map();
  for (const { queues, ...site } of frame.sites) {
    board.sites.set(site.site, site);
    for (const row of queues) board.queues.set(queueKey(row.site, row.queue), row);
  }
  board.alerts = new Map(frame.alerts.map((alert) => [alert.alert_id, alert]));
  return "taken";
}

function takeUpdate(board, frame) {
  for (const site of frame.sites ?? []) board.sites.set(site.site, site);
  for (const row of frame.queues ?? []) board.queues.set(queueKey(row.site, row.queue), row);
  for (const { site, queue } of frame.removed ?? []) board.queues.delete(queueKey(site, queue));
}

/** Keeps the newest version of an alert, wherever it came from (frame or answer to a command). */
export function takeAlert(board, alert) {
  const held = board.alerts.get(alert.alert_id);
  if (!held || alert.version >= held.version) board.alerts.set(alert.alert_id, alert);
}

/** The alert that was resolved last, for the quiet strip; undefined when none is known. */
export function lastResolved(board) {
  return [...board.alerts.values()]
    .filter((alert) => alert.state === "resolved")
    .sort((a, b) => b.resolved_ms - a.resolved_ms)[0];
}

/** Alerts that ended longer ago than they are shown, but for the last resolved: a page runs for months. */
function forgetEnded(board, nowMs) {
  const last = lastResolved(board);
  for (const alert of board.alerts.values()) {
    const endedMs = alert.resolved_ms ?? alert.updated_ms ?? alert.fired_ms;
    const isPast = ["resolved", "withdrawn"].includes(alert.state) && nowMs - endedMs >= RESOLVED_STAYS_MS;
    if (isPast && alert !== last) board.alerts.delete(alert.alert_id);
  }
}

/** Rows in the order in which they stand on the wall: as asked for in the address, else as told. */
export function rowsInOrder(board, wanted) {
  const rows = [...board.queues.values()];
  if (!wanted) return rows;
  const place = (row) => {
    const index = wanted.indexOf(row.queue);
    return index < 0 ? wanted.length : index;
  };
  return rows.sort((a, b) => place(a) - place(b));
}
