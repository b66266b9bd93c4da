// Builds the page and keeps it true: frames come in, one render per change and per second goes out.
// Rules live in model.js, alerts.js and format.js; this only wires them to the page.

import { alertsOf, stripItems, untakenCriticals } from "./alerts.js";
import { Announcer } from "./announce.js";
import { Band } from "./band.js";
import { emptyBoard, take, takeAlert } from "./board.js";
import { ChooseDialog } from "./choose.js";
import { ServerClock } from "./clock.js";
import { Commands, postJson } from "./commands.js";
import { HelpDialog, Memory, NameDialog } from "./dialogs.js";
import { setAttribute } from "./dom.js";
import { Header } from "./header.js";
import { alertMeant, listen, Roving } from "./keyboard.js";
import { CUT_AFTER_MS, linkState, RECONNECTING_AFTER_MS } from "./model.js";
import { layoutFor, parse, socketUrl, withParameter } from "./options.js";
import { Rules } from "./rules.js";
import { Live } from "./socket.js";
import { SourcesPanel } from "./sources.js";
import { SNOOZE_MINUTES, Strip } from "./strip.js";
import { stripLines, subjectOf } from "./strip_text.js";
import { TEXTS } from "./texts.js";
import { pageOf, viewsOf, Wall } from "./wall.js";
import { hidePointerWhenIdle, shift } from "./wear.js";

const options = parse(location.search, navigator.languages);
const { lang } = options;
const texts = TEXTS[lang];
const nodes = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));
const monotonic = () => performance.now();

const board = emptyBoard();
const clock = new ServerClock(monotonic);
const memory = new Memory();
let chosenWindow = options.window;
let lastFrameAt = { monotonic: monotonic(), wall: Date.now() };
let lastFrameMs = null;

const header = new Header(nodes, { onWindow: chooseWindow });
const wall = new Wall(nodes);
const rules = new Rules(nodes);
const band = new Band(nodes, { onRetry: () => live.retryNow() });
const nameDialog = new NameDialog(nodes, memory);
const helpDialog = new HelpDialog(nodes, memory);
const chooseDialog = new ChooseDialog(nodes, {
  site: options.site,
  wanted: options.queues,
  onChosen: (queues) => location.assign(withParameter(location.search, "queues", queues.join(","))),
});
const sourcesPanel = new SourcesPanel(nodes, { read: readSources, context: contextNow });
const announcer = new Announcer({ alert: nodes["spoken-alert"], status: nodes["spoken-status"] });
const roving = new Roving(nodes["queue-list"]);
const commands = new Commands({ post: postJson, onAlert: hearAlert, onChange: renderSoon });
const strip = new Strip({
  list: nodes.strip,
  more: nodes["alerts-more"],
  count: nodes["alerts-count"],
  onTake: takeInHand,
  onSnooze: snooze,
  onClose: closeAlert,
  onToggle: renderSoon,
});
const live = new Live({
  url: socketUrl(document.baseURI, options),
  take: (frame) => take(board, frame),
  position: () => ({ epoch: board.epoch, seq: board.seq }),
  onFrame: hear,
  onChange: renderSoon,
  monotonic,
});

function hear(frame) {
  lastFrameAt = { monotonic: monotonic(), wall: Date.now() };
  if (frame.as_of_ms) clock.hear(frame.as_of_ms);
  lastFrameMs = clock.now();
  doubtInTime();
  rules.follow(board.epoch);
  if (frame.type === "alert") commands.settle(frame.alert);
  renderSoon();
}

function hearAlert(alert) {
  takeAlert(board, alert);
  renderSoon();
}

async function takeInHand(alertId) {
  if (!alertId || !board.alerts.has(alertId)) return;
  const by = await nameDialog.name();
  if (by) await commands.acknowledge(alertId, by, texts);
}

async function snooze(alertId, minutes) {
  if (!alertId || !board.alerts.has(alertId)) return;
  const by = await nameDialog.name();
  if (by) await commands.snooze(alertId, by, Math.round(clock.now()) + minutes * 60_000, texts);
}

async function closeAlert(alertId) {
  if (!alertId || !board.alerts.has(alertId)) return;
  const by = await nameDialog.name();
  if (by) await commands.resolve(alertId, by, texts);
}

async function readSources() {
  const url = new URL("api/v1/sources", document.baseURI);
  if (options.site) url.searchParams.set("site", options.site);
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`sources: ${answer.status}`);
  return answer.json();
}

function chooseWindow(window) {
  chosenWindow = window;
  history.replaceState(null, "", withParameter(location.search, "window", window));
  render();
}

/** First alert of a queue in one of these states, for the keys: A those untaken, R those that may rest. */
const inStates = (...states) => (key) => {
  const [site, queue] = JSON.parse(key);
  return alertsOf(board, site, queue).find((alert) => states.includes(alert.state))?.alert_id ?? null;
};

/** Time without a frame. The monotonic clock may have stood still while the machine slept; the wall
 *  clock may have been set. The longer of the two is taken: doubt is the safe side. */
function silence() {
  return Math.max(monotonic() - lastFrameAt.monotonic, Date.now() - lastFrameAt.wall);
}

let doubt = null;
/** Renders at the instant from which silence means more than it did, not with the second after it. */
function doubtInTime() {
  clearTimeout(doubt);
  const left = [RECONNECTING_AFTER_MS, CUT_AFTER_MS].map((after) => after - silence()).find((ms) => ms > 0);
  if (left === undefined) return;
  doubt = setTimeout(() => {
    render();
    doubtInTime(); // a timer may fire a fraction early: then it waits for the rest
  }, left);
}

function contextNow() {
  const silenceMs = silence();
  const site = board.sites.values().next().value;
  const isTv = layoutFor(options.view, innerWidth) === "tv";
  return {
    texts, lang, board, commands, lastFrameMs, isTv,
    link: live.isDenied ? "cut" : linkState(silenceMs),
    silenceMs,
    ageMs: silenceMs,
    nowMs: clock.now(),
    timeZone: site?.time_zone ?? "UTC",
    window: chosenWindow,
    wanted: options.queues,
    isFirst: board.epoch === null,
    isDenied: live.isDenied,
    retryInMs: live.retryAt === null ? null : Math.max(0, live.retryAt - monotonic()),
    names: (siteId, queue) => nameOf(siteId, queue),
  };
}

function nameOf(site, queue) {
  const row = board.queues.get(JSON.stringify([site, queue]));
  return row?.short || row?.label || queue;
}

function render() {
  const context = contextNow();
  setAttribute(document.body, "data-layout", context.isTv ? "tv" : "desk");
  shift(document.body, context.nowMs ?? 0);
  const views = context.isFirst ? new Map() : viewsOf(board, context, options.queues);
  const items = context.isFirst ? [] : stripItems(board, views, context.nowMs);
  context.page = pageOf(views, context);
  context.isRoomy = views.size <= 6;
  context.untaken = untakenCriticals(items).length;
  header.show(context);
  band.show(context);
  strip.show(items, context);
  wall.show(views, context);
  roving.refresh();
  announcer.take(items.map((item) => spoken(item, context)), context.link === "cut" && !context.isDenied, texts);
  announcer.speak(monotonic(), texts);
}

/** A strip item as the announcer needs it. */
function spoken(item, context) {
  const name = item.view?.row.short ?? subjectOf(item.alert, context);
  const { title } = stripLines(item, { ...context, isTv: false });
  return {
    key: item.key,
    state: item.kind === "soon" ? "soon" : item.alert.state,
    look: item.look,
    flapping: Boolean(item.alert?.flapping),
    by: item.alert?.acknowledged_by,
    name,
    text: `${name}, ${title}`,
  };
}

let isRenderDue = false;
/** One render for all that happens in a turn; timers, unlike animation frames, run in hidden tabs. */
function renderSoon() {
  if (isRenderDue) return;
  isRenderDue = true;
  setTimeout(() => {
    isRenderDue = false;
    render();
  }, 0);
}

/** On every second of the server's clock, so that all waits tick together. */
function tick() {
  live.watch();
  render();
  const now = clock.now() ?? Math.floor(monotonic());
  setTimeout(tick, 1000 - (((now % 1000) + 1000) % 1000) + 5);
}

document.documentElement.lang = lang;
for (const part of [header, wall, band, nameDialog, helpDialog, chooseDialog, rules, sourcesPanel]) part.label({ texts, lang });
listen({
  areOn: () => helpDialog.keysAreOn,
  onWindow: chooseWindow,
  onTake: (focused) => takeInHand(alertMeant(focused, inStates("firing", "snoozed"))),
  onSnooze: (focused) => snooze(alertMeant(focused, inStates("firing", "acknowledged")), SNOOZE_MINUTES),
  onSources: () => sourcesPanel.open(),
  onHelp: () => helpDialog.open(),
});
hidePointerWhenIdle(document.body);
addEventListener("resize", renderSoon);
addEventListener("online", () => live.retryNow());
live.open();
doubtInTime();
tick();
