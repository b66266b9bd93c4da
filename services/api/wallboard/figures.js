// The figures of a queue: what each shows, what stands below it, and its name in full for speech.
// Pure: values and texts in, parts out (format.js).

import * as format from "./format.js";
import { outsideBand } from "./model.js";

/** Figures in reading order. */
export const FIGURES = ["longest", "waiting", "asa", "service", "available", "abandonment", "occupancy"];

const WINDOW_MINUTES = { "5m": 5, "15m": 15, "30m": 30, "60m": 60 };
export const windowMinutes = (window) => WINDOW_MINUTES[window];

const blank = () => ({ parts: format.unknown(), below: "", spoken: null });

/** The empty figure of a queue that is loading or was never heard. */
export const unknownFigure = blank;

function spokenDuration(seconds, texts) {
  const s = Math.max(0, Math.floor(seconds));
  if (s >= 86400) return texts.spokenDays(Math.floor(s / 86400), Math.floor((s % 86400) / 3600));
  return texts.spokenSeconds(Math.floor(s / 3600), Math.floor((s % 3600) / 60), s >= 3600 ? 0 : s % 60);
}

function longest({ longestS }, { texts, lang }) {
  return {
    parts: format.duration(longestS, lang),
    form: format.durationForm(longestS),
    spoken: longestS === null ? null : spokenDuration(longestS, texts),
  };
}

function waiting({ row }, { lang }) {
  const text = format.count(row.waiting, lang);
  return { parts: format.number(text), form: row.waiting < 1000 ? "short" : "long", spoken: text };
}

function asa({ window }, { texts, lang }) {
  const value = window?.asa_s.value ?? null;
  return {
    parts: format.mean(value, lang),
    spoken: value === null ? null : spokenDuration(format.rounded(value), texts),
  };
}

/** A rate of nobody. Where nobody came at all, that is said. */
function none({ window }, { texts, window: name }) {
  const isQuiet = window.offered === 0;
  return { ...blank(), below: texts.none, spoken: isQuiet ? texts.noContact(texts.minutes(windowMinutes(name))) : null };
}

function service(view, context) {
  const { window } = view;
  const { texts, lang } = context;
  const level = window?.service_level;
  if (!level) return blank();
  if (!(level.denominator > 0)) return none(view, context);
  const within = format.threshold(level.threshold_s, lang);
  const parts = format.percent(level, lang);
  const spokenWithin = spokenDuration(level.threshold_s, texts);
  return {
    parts,
    below: texts.within(`${level.numerator}/${level.denominator}`, within),
    spoken: `${format.plain(parts)}, ${texts.spokenWithin(level.numerator, level.denominator, spokenWithin)}`,
  };
}

function abandonment(view, context) {
  const { window } = view;
  const { texts, lang } = context;
  const rate = window?.abandonment;
  if (rate === undefined) return blank();
  if (rate === null) {
    return { parts: [[texts.notApplicable, false]], isNotApplicable: true, below: "", spoken: texts.notApplicableLong };
  }
  if (!(rate.denominator > 0)) return none(view, context);
  const parts = format.percent(rate, lang);
  return {
    parts,
    below: `${rate.numerator}/${rate.denominator}`,
    spoken: `${format.plain(parts)}, ${texts.spokenOf(rate.numerator, rate.denominator)}`,
  };
}

function available({ agents }, { texts, lang }) {
  if (agents.all === 0) return { ...blank(), below: texts.outOf(0) };
  const text = format.count(agents.available, lang);
  return {
    parts: format.number(text),
    below: texts.outOf(format.count(agents.present, lang)),
    spoken: texts.spokenOf(agents.available, agents.present),
  };
}

/** « 67 %, occupation des créneaux 54 % »: of agents who take several contacts at once. */
function withSlots(text, { window }, { texts, lang }) {
  const rate = window.slots;
  return rate?.denominator > 0 ? texts.spokenSlots(text, format.plain(format.percent(rate, lang))) : text;
}

function occupancy(view, context) {
  const { window, row } = view;
  const { lang } = context;
  const rate = window?.occupancy;
  if (!rate || !(rate.denominator > 0)) return blank();
  const parts = format.percent(rate, lang);
  const [low, high] = row.limits.occupancy;
  return {
    parts,
    below: "",
    track: { at: rate.numerator / rate.denominator, low, high },
    arrow: { up: "↑", down: "↓" }[outsideBand(rate.value, row.limits.occupancy)] ?? "",
    spoken: withSlots(format.plain(parts), view, context),
    hasMore: window.slots?.denominator > 0,
  };
}

/** Age of the oldest open item. `business`: within the queue's hours, where that is another. */
function oldest({ row, oldestS }, { texts, lang }) {
  const businessS = row.backlog.oldest_business_s;
  const isOther = oldestS !== null && oldestS - businessS >= 60;
  const business = isOther ? format.plain(format.duration(businessS, lang)) : null;
  const spoken = oldestS === null ? null : spokenDuration(oldestS, texts);
  return {
    parts: format.duration(oldestS, lang),
    form: format.durationForm(oldestS),
    below: texts.itemsBelow.longest,
    business,
    spoken: isOther ? texts.spokenBusiness(spoken, spokenDuration(businessS, texts)) : spoken,
  };
}

function backlog({ row }, { texts, lang }) {
  const { open } = row.backlog;
  const text = format.count(open, lang);
  return {
    parts: format.number(text),
    form: open < 1000 ? "short" : "long",
    below: texts.itemsBelow.waiting,
    spoken: texts.spokenBacklog(text, format.count(row.waiting, lang)),
  };
}

/** « 92 %, 11 sur 12 » by one clock. */
function spokenShare(ratio, { texts, lang }) {
  if (!(ratio?.denominator > 0)) return texts.noValue;
  return `${format.plain(format.percent(ratio, lang))}, ${texts.spokenOf(ratio.numerator, ratio.denominator)}`;
}

/** Letters of a share's counts that its place holds; beyond, only the size stays. */
const COUNTS_ROOM = 7;

function cleared({ window, row }, context) {
  const { texts, lang, isTv } = context;
  const ratio = window?.cleared;
  if (!ratio) return blank();
  const counts = ratio.denominator > 0 ? `${ratio.numerator}/${ratio.denominator}` : texts.none;
  const short = counts.length > COUNTS_ROOM ? texts.outOf(ratio.denominator) : counts;
  const promise = spokenDuration(row.backlog.promise_s, texts);
  return {
    parts: format.percent(ratio, lang),
    below: isTv ? short : texts.itemsBelow.abandonment(short),
    spoken: texts.spokenCleared(promise, spokenShare(ratio, context), spokenShare(window.cleared_business, context)),
  };
}

const MAKERS = { longest, waiting, asa, service, available, abandonment, occupancy };
/** What a queue of e-mail, letters, social media or SMS shows in their places. */
const OF_ITEMS = { longest: oldest, waiting: backlog, abandonment: cleared };

/** Whether a figure is one of items. */
export const isOfItems = (name, view) => Boolean(view?.hasItems && OF_ITEMS[name]);

/** One figure of a queue's view: parts, below, spoken; some also form, track, arrow, business, hasMore. */
export function figure(name, view, context) {
  if (!view.isKnown) return blank();
  return (isOfItems(name, view) ? OF_ITEMS : MAKERS)[name](view, context);
}

/** « Taux de service, Facturation, 60 %, 29 sur 48 en 20 secondes ». */
export function fullName(name, view, shown, { texts, lang }) {
  const names = isOfItems(name, view) ? texts.itemNames : texts.fullNames;
  const words = [names[name], view.row.label, shown.spoken ?? texts.noValue];
  if (view.state === "stale" && view.ageMs !== null) words.push(texts.staleSince(format.plain(format.duration(view.ageMs / 1000, lang))));
  return words.join(", ");
}
