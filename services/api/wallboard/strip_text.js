// The lines of one alert: title, detail and what stands at its right. Pure.
// An alert says in `fires_below` on which side of its limit it fires. One on operations is about a
// source instead of a queue.

import { queueKey } from "./board.js";
import * as format from "./format.js";

const DURATIONS = new Set(["longest_wait_s", "oldest_item_s", "oldest_item_business_s", "source_age_s"]);
const RATIOS = new Set(["service_level", "abandonment", "occupancy", "cleared", "cleared_business"]);

/** The name of what an alert is about: its queue, or its source as people know it. */
export function subjectOf(alert, { board, names }) {
  if (!alert.source) return names(alert.site, alert.queue);
  const sources = board.sites.get(alert.site)?.sources ?? [];
  return sources.find(({ source }) => source === alert.source)?.label ?? alert.source;
}

/** A value of a metric as text: 3:12, 72 %, 4. */
export function metricText(metric, value, lang) {
  if (value === null || value === undefined) return format.DASH;
  if (DURATIONS.has(metric)) return format.plain(format.duration(value, lang));
  return RATIOS.has(metric) ? format.share(value, lang) : format.count(value, lang);
}

function limitText(metric, value, lang) {
  return DURATIONS.has(metric) ? format.limit(value, lang) : metricText(metric, value, lang);
}

/** The metric's value now, from the queue's row; the alert's own where the row does not say. */
export function currentValue(alert, view) {
  if (!view) return alert.value;
  const window = view.row.windows[alert.window] ?? view.window;
  const now = {
    longest_wait_s: view.longestS,
    service_level: window?.service_level.value,
    abandonment: window?.abandonment?.value,
    occupancy: window?.occupancy.value,
    "agents.available": view.agents.available,
    waiting: view.row.waiting,
    backlog: view.row.backlog?.open,
    oldest_item_s: view.hasItems ? (view.oldestS ?? 0) : undefined,
    oldest_item_business_s: view.hasItems ? (view.row.backlog.oldest_business_s ?? 0) : undefined,
    cleared: window?.cleared?.value,
    cleared_business: window?.cleared_business?.value,
  }[alert.metric];
  return now === undefined ? alert.value : now;
}

/** Between fire and clear: no longer beyond the limit, not yet back. */
export function isFalling(alert, view) {
  const value = currentValue(alert, view);
  if (alert.clear === null || alert.flapping) return false;
  if (value === null) return alert.metric === "longest_wait_s";
  return alert.fires_below ? value > alert.threshold : value < alert.threshold;
}

const seconds = (ms) => ms / 1000;

/** How long a source has been silent by now; what else there is to count of one stays as told. */
const sourceValue = (alert, nowMs) =>
  alert.metric === "source_age_s" ? alert.threshold + seconds(nowMs - alert.crossed_ms) : alert.value;

const joined = (...parts) => parts.filter(Boolean).join(" · ");

function facts(item, { texts, lang, nowMs }) {
  const { alert, view } = item;
  const isFloor = alert.fires_below;
  const [short, long] = texts.metrics[alert.metric] ?? [alert.metric, alert.metric];
  return {
    isFloor, short, long,
    value: metricText(alert.metric, alert.source ? sourceValue(alert, nowMs) : currentValue(alert, view), lang),
    limit: limitText(alert.metric, alert.threshold, lang),
    clear: limitText(alert.metric, alert.clear ?? alert.threshold, lang),
    since: format.plain(format.duration(seconds(nowMs - alert.crossed_ms), lang)),
    falling: isFalling(alert, view),
  };
}

function title(item, f, { texts, isTv }) {
  const { alert } = item;
  if (alert.source) return alert.state === "resolved" ? f.short : `${f.short} ${f.value}`;
  if (alert.state === "resolved" && alert.reason !== "by_hand") {
    return texts.back(isTv ? f.short : `${f.long} ${f.value},`, alert.metric, f.clear, f.isFloor);
  }
  if (alert.flapping) return texts.around(isTv ? f.short : f.long, f.limit);
  if (isTv) return `${f.short} ${f.value}`;
  return `${f.long} ${f.value}, ${texts.limitWord(f.limit, f.isFloor)}`;
}

/** Hands that are free by now where the alert says so; as it said where that queue is not on this board. */
function freeNow({ lever, site }, board) {
  return lever && (board.queues.get(queueKey(site, lever.queue))?.agents.available ?? lever.available);
}

function resolvedDetail({ alert }, context) {
  const { texts, lang, nowMs, timeZone } = context;
  const after = format.plain(format.duration(seconds(alert.resolved_ms - alert.crossed_ms), lang));
  const left = Math.ceil(seconds(alert.resolved_ms + 60_000 - nowMs));
  const at = format.clock(alert.resolved_ms, timeZone);
  return joined(
    alert.reason === "by_hand" ? texts.closedAt(at, after, alert.resolved_by) : texts.resolvedAt(at, after),
    alert.reason === "corrected" && texts.corrected,
    alert.acknowledged_by && alert.acknowledged_by !== alert.resolved_by && texts.handledBy(alert.acknowledged_by),
    !context.isTv && texts.leavesIn(format.age(left, lang)),
  );
}

function openDetail(item, f, { texts, lang, isTv, names, board }) {
  const { alert } = item;
  const who = item.isTaken ? texts.isOnIt(alert.acknowledged_by) : null;
  const falling = f.falling && texts.falling(f.clear, f.isFloor);
  if (alert.source) return joined(texts.stateSince(texts.states[alert.severity], f.since), who ?? texts.toTake);
  if (alert.flapping) return joined(texts.flips(alert.episodes_10m), isTv ? (who ?? texts.toTake) : texts.oneAlert);
  if (isTv) {
    const isWait = alert.metric === "longest_wait_s";
    const beyond = who && isWait ? texts.beyondShort(f.since) : texts.beyondSince(f.limit, f.since, f.isFloor, isWait);
    return joined(falling || beyond, who ?? texts.toTake);
  }
  const free = freeNow(alert, board);
  const lever = free > 0 && texts.lever(format.count(free, lang), names(alert.site, alert.lever.queue));
  return joined(texts.stateSince(texts.states[alert.severity], f.since), falling, !who && texts.nobody, lever);
}

function alertLines(item, context) {
  const { texts, timeZone, link } = context;
  const { alert } = item;
  const f = facts(item, context);
  const lines = { title: title(item, f, context), detail: "", aside: "" };
  if (alert.state === "resolved") lines.detail = resolvedDetail(item, context);
  else if (alert.state === "suppressed") lines.detail = link === "cut" ? texts.suspendedPage : texts.suspendedSource;
  else if (alert.state === "snoozed") {
    lines.detail = texts.snoozedUntil(format.hourMinute(alert.snoozed_until_ms, timeZone), alert.snoozed_by);
  } else lines.detail = openDetail(item, f, context);
  if (item.isTaken && alert.acknowledged_ms !== null) {
    lines.aside = texts.takenSince(alert.acknowledged_by, format.hourMinute(alert.acknowledged_ms, timeZone));
  }
  return lines;
}

function soonLines({ view }, { texts, lang, isTv }) {
  const { row, agents } = view;
  const { count, threshold_s: limit, within_s: within } = row.pre_breach;
  const forecast = texts.soon(
    count, texts.contacts[row.channel], format.limit(limit, lang), format.threshold(within, lang),
  );
  if (isTv) return { title: texts.soonTitle, detail: forecast, aside: "" };
  const detail = joined(texts.states.soon, texts.soonAgents(agents.available, agents.wrap_up));
  return { title: forecast, detail, aside: "" };
}

/** Title (without the queue's name), detail, aside. `context`: texts, lang, nowMs, timeZone, isTv,
 *  link, names(site, queue). */
export function stripLines(item, context) {
  return item.kind === "soon" ? soonLines(item, context) : alertLines(item, context);
}
