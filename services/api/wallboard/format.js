// Numbers, durations and instants as they are read on the wall. Pure: no clock, no page.
// Rules: a figure is a list of parts, [text, isUnit]; units are set smaller. `plain` joins them.
// Spaces are U+00A0: the font has no U+202F, and browsers then draw it too thin.

export const NBSP = "\u00a0";
export const DASH = "—";
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

const DAY_LETTER = { fr: "j", en: "d" };
const LOCALE = { fr: "fr-FR", en: "en-GB" };

export const number = (text) => [[String(text), false]];
export const unknown = () => number(DASH);
export const plain = (parts) => parts.map(([text]) => text).join("");

const two = (value) => String(value).padStart(2, "0");

/** Whole number nearest to `value`; halves go away from zero. */
export function rounded(value) {
  return Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
}

/** 1248 → « 1 248 », 1,248. */
export function count(value, lang) {
  const mark = lang === "en" ? "," : NBSP;
  return String(Math.trunc(value)).replace(/\B(?=(\d{3})+$)/g, mark);
}

/** Seconds, cut to whole ones: 0:07, 12:03, 1 h 05, 3 j 04 h. Null: a dash. */
export function duration(seconds, lang) {
  if (seconds === null || seconds === undefined) return unknown();
  const s = Math.max(0, Math.floor(seconds));
  if (s < HOUR) return number(`${Math.floor(s / MINUTE)}:${two(s % MINUTE)}`);
  if (s < DAY) {
    const minutes = Math.floor((s % HOUR) / MINUTE);
    return [[String(Math.floor(s / HOUR)), false], [`${NBSP}h${NBSP}`, true], [two(minutes), false]];
  }
  const hours = Math.floor((s % DAY) / HOUR);
  return [
    [String(Math.floor(s / DAY)), false],
    [`${NBSP}${DAY_LETTER[lang]}${NBSP}`, true],
    [two(hours), false],
    [`${NBSP}h`, true],
  ];
}

/** How wide a duration is, so that the wall can size it: clock (1:07), clock5 (12:03), h, j, jj. */
export function durationForm(seconds) {
  if (seconds === null || seconds === undefined || seconds < 10 * MINUTE) return "clock";
  if (seconds < HOUR) return "clock5";
  if (seconds < DAY) return "h";
  return seconds < 10 * DAY ? "j" : "jj";
}

/** A mean duration: to the nearest second, halves away from zero. */
export function mean(seconds, lang) {
  return duration(seconds === null || seconds === undefined ? null : rounded(seconds), lang);
}

/** A limit, without the parts that are zero: 2:00, 24 h, 5 j. */
export function limit(seconds, lang) {
  if (seconds >= 3 * DAY && seconds % DAY === 0) return `${seconds / DAY}${NBSP}${DAY_LETTER[lang]}`;
  if (seconds >= HOUR && seconds % HOUR === 0) return `${seconds / HOUR}${NBSP}h`;
  return plain(duration(seconds, lang));
}

/** A service threshold: 20 s, 5 min, 48 h, 7 j. */
export function threshold(seconds, lang) {
  if (seconds >= 3 * DAY && seconds % DAY === 0) return `${seconds / DAY}${NBSP}${DAY_LETTER[lang]}`;
  if (seconds >= HOUR && seconds % HOUR === 0) return `${seconds / HOUR}${NBSP}h`;
  if (seconds >= 2 * MINUTE && seconds % MINUTE === 0) return `${seconds / MINUTE}${NBSP}min`;
  return `${seconds}${NBSP}s`;
}

/** An age: 1 s, 14 s, then as a duration. */
export function age(seconds, lang) {
  const s = Math.max(0, Math.floor(seconds));
  return s < MINUTE ? `${Math.max(1, s)}${NBSP}s` : plain(duration(s, lang));
}

/** Whole percents of numerator / denominator; neither 0 nor 100 unless it is exactly so. */
export function percent({ numerator, denominator }, lang) {
  if (!(denominator > 0)) return unknown();
  const sign = lang === "en" ? "%" : `${NBSP}%`;
  const whole = Math.floor((200 * numerator + denominator) / (2 * denominator));
  if (whole <= 0 && numerator > 0) return [[`<${NBSP}`, true], ["1", false], [sign, true]];
  if (whole >= 100 && numerator < denominator) return [[`>${NBSP}`, true], ["99", false], [sign, true]];
  return [[String(whole), false], [sign, true]];
}

/** A target or band edge (0…1) as text. */
export function share(value, lang) {
  return plain(percent({ numerator: rounded(value * 1e6), denominator: 1e6 }, lang));
}

const formatters = new Map();
function formatter(lang, zone, options) {
  const key = `${lang} ${zone} ${JSON.stringify(options)}`;
  if (!formatters.has(key)) {
    formatters.set(key, new Intl.DateTimeFormat(LOCALE[lang], { timeZone: zone, ...options }));
  }
  return formatters.get(key);
}

function parts(ms, zone, options) {
  const found = {};
  for (const { type, value } of formatter("en", zone, options).formatToParts(ms)) found[type] = value;
  return found;
}

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DATE = { year: "numeric", month: "2-digit", day: "2-digit" };

/** 14:32:07 in the site's zone. */
export function clock(ms, zone) {
  const { hour, minute, second } = parts(ms, zone, TIME);
  return `${hour}:${minute}:${second}`;
}

/** 14:32 in the site's zone. */
export function hourMinute(ms, zone) {
  return clock(ms, zone).slice(0, 5);
}

/** 9:00, as opening hours are written. */
export function opening(ms, zone) {
  return hourMinute(ms, zone).replace(/^0/, "");
}

/** 01/10/2026 in the site's zone. */
export function date(ms, zone) {
  const { year, month, day } = parts(ms, zone, DATE);
  return `${day}/${month}/${year}`;
}

/** lundi, Monday. */
export function weekday(ms, zone, lang) {
  return formatter(lang, zone, { weekday: "long" }).format(ms);
}
