// Puts the page together: link -> store -> marks -> map; panels beside it; keys; the clock.

import "./fonts.css";
import { AlarmList } from "./alarms";
import { Away } from "./away";
import { Cells } from "./cells";
import { Coverage } from "./coverage";
import { Unseen } from "./unseen";
import { Detail } from "./detail";
import { $, h, say } from "./dom";
import { Drill } from "./drill";
import * as hash from "./hash";
import { kiosk } from "./kiosk";
import { listen, showKeys, type Key } from "./keys";
import { Labels } from "./labels";
import { drawLegend } from "./legend";
import { Link } from "./link";
import { Lists, type Tab } from "./lists";
import { MapStage } from "./map";
import { build } from "./marks";
import { Me } from "./me";
import { Measure } from "./measure";
import { Others } from "./others";
import { drawQuiet } from "./quiet";
import { Remote } from "./remote";
import { Replay } from "./replay";
import { ScopeStage } from "./scope";
import { Sketch } from "./sketch";
import { Sound } from "./sound";
import { Split, type Drawn } from "./split";
import { Store } from "./store";
import { setSymbols } from "./symbols";
import { setTheme } from "./theme";
import { Timebar } from "./timebar";
import { col } from "./wire";
import { drawZones } from "./zones";
import { duration, unheard, utc } from "./words";

const FRAME_MS = 100;
const DRAW_REST = 8;
const PICTURE_MS = 1000; // from picture to picture
const RECORDED_MS = 5000;
const HOME_ZOOM = 10;

const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const store = new Store(); // what is shown
const live = new Store(); // alarms of now, also while the past is shown
const wish = hash.read();
setTheme(wish.theme);
setSymbols(wish.symbols);
for (const layer of wish.off) store.hidden.add(layer);

// The counters that tests read; nothing in the page depends on them.
const counters = { ticks: 0, tracks: 0, claims: 0, alarms: 0, frames: 0, drawMs: 0, beeps: 0, renderer: "", replay: "", beside: 0, views: (): Record<string, number[]> => split.views() };
declare global {
  interface Window { lapwing: typeof counters }
}
window.lapwing = counters;

function openStage(of: Store, box: HTMLElement): Drawn {
  const start = { latitude: wish.latitude ?? 30, longitude: wish.longitude ?? 40, zoom: wish.zoom ?? 2 };
  try {
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error("no WebGL2");
    const stage = new MapStage(of, box, start, still);
    counters.renderer = "map";
    return stage;
  } catch (error) {
    console.warn("drawing on a plain canvas:", error);
    counters.renderer = "scope";
    say($("notice"), "This browser has no WebGL2: plain scope without coastlines. All data is the same.");
    $("notice").hidden = false;
    return new ScopeStage(of, box, start, still);
  }
}

await Promise.all(["400 12px 'Open Sans'", "600 12px 'Open Sans'"].map((f) => document.fonts.load(f)));
const stage = openStage(store, $("map"));
const measure = new Measure(stage, () => remember());
const sketch = new Sketch(store, stage);
const labels = new Labels(store, stage, $<HTMLCanvasElement>("labels"), [new Remote(store, still), new Others(store, () => stage), measure, sketch], still);
let placed = wish.zoom !== undefined; // until the site is known the map shows the world, which nobody asked for
const remember = (): void => following || !placed ? undefined : hash.write(store, { tab: lists.tab, centre: stage.centre, zoom: stage.zoom, pastMs: replay.on ? replay.atMs : null, split: split.on, kiosk: wish.kiosk, measure: measure.on ? measure.points : null, coverage: coverage.words });
const link = new Link(store, live, 5);
const replay = new Replay(store, link);
const timebar = new Timebar(store, live, replay);
const split = new Split(store, live, link, stage, openStage, still, () => remember());
const replayFrom = (ms: number): void => replay.go(ms, false);
const lists = new Lists(store, stage, () => remember());
new AlarmList(store, live, stage, replayFrom);
new Away(store, replayFrom);
const sound = new Sound(live);
drawZones(store, () => store.emit("alarms"));
drawQuiet();
setInterval(() => Object.assign(counters, { beeps: sound.beeps, drawMs: stage.drawMs }), 250);
new Drill(store, live, sound);
new Me(store);
const detail = new Detail(store, replayFrom);
new Cells(store);
new Unseen(store);
const coverage = new Coverage(store, wish.coverage, () => remember());

function home(move: "flyTo" | "jumpTo" = "flyTo"): void {
  const origin = store.site?.features.find((f) => f.properties?.["kind"] === "origin");
  if (origin?.geometry.type === "Point") stage[move](origin.geometry.coordinates[1]!, origin.geometry.coordinates[0]!, HOME_ZOOM);
}
store.on("site", () => {
  say($("site-name"), store.site?.name ?? "");
  if (!placed) home("jumpTo"); // at once: what is on the way would be kept in the address
  placed = true;
});

function redraw(): void {
  const marks = build(store);
  stage.take(marks);
  labels.take(marks);
}
store.on("picture", () => {
  counters.ticks = store.picture!.tick;
  counters.tracks = store.picture!.tracks.n;
  counters.claims = store.picture!.claims.n;
  if (!document.hidden) redraw();
  head();
});
store.on("alarms", () => {
  counters.alarms = store.alarms.filter((a) => a.state !== "cleared").length;
  if (drawRest() < PICTURE_MS) redraw(); // else the next picture shows it
});
store.on("select", () => { redraw(); remember(); });
store.on("layers", () => { redraw(); remember(); });
store.on("theme", () => { redraw(); stage.redraw(); remember(); });

function head(): void {
  const { picture } = store;
  if (!picture) return;
  const condition = picture.claims.n ? col(picture.claims, "condition") : new Float64Array(0);
  const unsound = condition.reduce((n, c) => n + (c >= 1 && c <= 3 ? 1 : 0), 0);
  const quiet = store.feeds.filter(unheard).length;
  const counts: [string, string, boolean][] = [
    ["tracks", String(picture.tracks.n), false], ["claims", String(picture.claims.n), false],
    ["unsound", String(unsound), unsound > 0], ["feeds", `${store.feeds.length - quiet}/${store.feeds.length}`, quiet > 0],
  ];
  const list = $("counts");
  if (!list.children.length) list.replaceChildren(...counts.map(([name]) => h("div", {}, h("dt", {}, name), h("dd"))));
  counts.forEach(([, value, warn], i) => {
    say(list.children[i]!.lastElementChild!, value);
    list.children[i]!.classList.toggle("warn", warn);
  });
  say($("utc"), utc(picture.timeMs));
  $<HTMLTimeElement>("utc").dateTime = new Date(picture.timeMs).toISOString();
  $("recorded").hidden = store.replaying || Math.abs(Date.now() - picture.timeMs) < RECORDED_MS;
}

live.on("picture", () => { counters.beside = live.picture!.tick; });
store.on("replay", () => { counters.replay = replay.told?.state ?? ""; });
store.on("mode", () => {
  counters.replay = "";
  store.emit("link");
  remember();
});
store.on("link", () => {
  const text = store.replaying ? (store.link === "lost" ? "replay, live is disconnected" : "replay") : { wait: "connecting", live: "live", stale: `stale ${duration(link.silentS)}`, lost: "disconnected: reconnecting" }[store.link];
  $("link").dataset["state"] = store.replaying ? "replay" : store.link;
  document.body.dataset["link"] = store.replaying && store.link !== "lost" ? "live" : store.link;
  say($("link").lastElementChild!, text);
});

// Symbols run ahead of the picture at 10 frames a second, fewer where drawing is slow so that it takes a ninth of the time;
// not at all where one drawing takes so long that the next picture comes first, and when nobody looks.
stage.onFrame(() => {
  counters.frames += 1;
  link.drawn();
});
const drawRest = (): number => Math.max(FRAME_MS, DRAW_REST * stage.drawMs);
function animate(): void {
  const rest = drawRest();
  if (rest < PICTURE_MS && !document.hidden && !still && (store.replaying ? store.pace > 0 : store.link === "live")) {
    stage.redraw();
    split.redraw();
  }
  setTimeout(animate, Math.min(PICTURE_MS, rest));
}
animate();
setInterval(remember, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) redraw(); });

stage.onClick((x, y) => { if (!measure.click(x, y) && !sketch.click(x, y)) store.select(labels.hit(x, y)); });
$("zoom-in").addEventListener("click", () => stage.zoomBy(1));
$("zoom-out").addEventListener("click", () => stage.zoomBy(-1));
$("zoom-home").addEventListener("click", () => home());
lists.show(wish.tab);
if (wish.measure) measure.toggle(true, wish.measure);
if (wish.kiosk) kiosk(store, link);
if (wish.selected) store.select(wish.selected);
if (wish.atMs !== undefined) {
  replay.go(wish.atMs, true);
  split.toggle(wish.split);
}
/** What an address says of the view, in this very page: a link that was followed, or changed by hand. */
function follow(to: string, words: ReadonlySet<string>): void {
  const it = hash.read(to);
  const says = (word: string): boolean => words.has(word);
  if (says("kiosk") && it.kiosk !== wish.kiosk) return location.reload();
  if (says("on") || says("off")) {
    store.hidden.clear();
    for (const layer of it.off) store.hidden.add(layer);
  }
  if (says("symbols")) setSymbols(it.symbols);
  if (says("theme")) setTheme(it.theme);
  if (says("coverage")) coverage.follow(it.coverage);
  if (it.zoom !== undefined) stage.flyTo(it.latitude!, it.longitude!, it.zoom);
  if (says("measure") && (it.measure || measure.on)) measure.toggle(it.measure !== null, it.measure ?? []);
  if (says("list") && lists.tab !== it.tab) lists.show(it.tab);
  if (says("sel")) store.select(it.selected);
  if (it.atMs !== undefined) replay.go(it.atMs, true);
  else if (says("at")) replay.leave();
  if (says("split") && split.on !== (it.split && replay.on)) split.toggle(it.split && replay.on);
  store.emit("theme");
  store.emit("layers");
}
let following = false; // the address is not written meanwhile
window.addEventListener("hashchange", ({ newURL }) => {
  const to = new URL(newURL).hash; // the address itself may have been written anew since
  const words = hash.said(to);
  if (!words.size) return; // a link to a part of the page
  following = true;
  follow(to, words);
  following = false;
  remember();
});

const many = (keys: string[], act: (at: number) => void): Record<string, () => void> => Object.fromEntries(keys.map((k, i) => [k, () => act(i)]));
const show = (tab: Tab) => (): void => { lists.show(tab); $("list").focus(); };
const legend = $<HTMLDetailsElement>("legend");
const KEYS: Key[] = [
  { shown: "A", what: "alarms", keys: { a: () => ($("alarm-list").querySelector<HTMLElement>("button") ?? $("alarms")).focus() } },
  { shown: "T C F", what: "tracks, claims, feeds", keys: { t: show("tracks"), c: show("claims"), f: show("feeds") } },
  { shown: "/", what: "filter the list", keys: { "/": () => $("filter").focus() } },
  { shown: "D", what: "what is selected", keys: { d: () => detail.focus() } },
  { shown: "W", what: "why the selected track is believed", keys: { w: () => detail.why() } },
  { shown: "← → ↑ ↓", what: "move the map", keys: { ArrowLeft: () => stage.panBy(-120, 0), ArrowRight: () => stage.panBy(120, 0), ArrowUp: () => stage.panBy(0, -120), ArrowDown: () => stage.panBy(0, 120) } },
  { shown: "+ −", what: "zoom", keys: { "+": () => stage.zoomBy(1), "=": () => stage.zoomBy(1), "-": () => stage.zoomBy(-1) } },
  { shown: "H", what: "back to the site", keys: { h: () => home() } },
  { shown: "M", what: "measure: a click or Enter sets a point", keys: { m: () => { sketch.toggle(false); measure.toggle(); }, Enter: () => (sketch.on ? sketch : measure).enter() } },
  { shown: "Z", what: "draw a zone: a click or Enter sets a point (who may manage)", keys: { z: () => { if (measure.on) measure.toggle(false); sketch.toggle(); } } },
  { shown: "L", what: "legend and layers", keys: { l: () => { legend.open = !legend.open; legend.querySelector("summary")!.focus(); } } },
  { shown: "R", what: "replay, back to live", keys: { r: () => timebar.toggle() } },
  { shown: "S", what: "replay: the live picture beside it", keys: { s: () => split.toggle() } },
  { shown: "space , .", what: "replay: play or pause, 10 s back, 10 s on", keys: { " ": () => timebar.playPause(), ",": () => timebar.step(-10), ".": () => timebar.step(10) } },
  { shown: "[ ]", what: "replay: the alarm before, after", keys: { "[": () => timebar.jump(-1), "]": () => timebar.jump(1) } },
  { shown: "1 to 6", what: "replay: speed", keys: many(["1", "2", "3", "4", "5", "6"], (i) => timebar.rate(i)) },
  { shown: "Esc", what: "close, deselect", keys: { Escape: () => { if (legend.open) legend.open = false; else if (measure.on) measure.toggle(false); else if (sketch.on) sketch.toggle(false); else store.select(""); } } },
  { shown: "?", what: "these keys", keys: { "?": () => showKeys(KEYS) } },
];
drawLegend(store, KEYS);
if (!wish.kiosk) listen(KEYS);
