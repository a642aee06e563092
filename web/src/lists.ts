// Tracks, claims and feeds as tables: everything on the map can be read, sorted and reached without it.

import { $, h, say, seldom } from "./dom";
import { frameLink } from "./evidence";
import { Health } from "./health";
import { nameOf } from "./labels";
import { otherItems, otherRows, type OtherRow } from "./others";
import type { Store } from "./store";
import type { Stage } from "./view";
import { col, HEIGHT_UNKNOWN } from "./wire";
import { CONDITIONS, NO_TRACK, SOURCES, STATUSES, bookOf, degrees, duration, msOf, shortAge, type Feed, type Output, type Sensor } from "./words";

export type Tab = "tracks" | "claims" | "feeds";
const ROWS_MAX = 250;

/** Rows of a table: what they are sorted by of all, the rest only of those that are shown. */
interface Rows { n: number; key(i: number): string; sort: ((i: number) => number | string)[]; cells(i: number): string[]; note(i: number): string; state(i: number): string }
const HEADS: Record<"tracks" | "claims", string[]> = {
  tracks: ["Track", "Status", "Height", "Speed", "Course", "Exists", "Age", "Claim"],
  claims: ["Name", "Source", "State", "Height", "Speed", "NIC", "Age", "Track"],
};

export class Lists {
  tab: Tab = "tracks";
  private sortBy = { tracks: { at: 0, down: false }, claims: { at: 2, down: true } };
  private rows = new Map<string, HTMLTableRowElement>();
  private body: HTMLTableSectionElement | null = null;
  private foot: HTMLElement | null = null;
  private readonly health: Health;

  constructor(private readonly store: Store, private readonly stage: Stage, private readonly changed: () => void) {
    this.health = new Health(store, stage, () => { if (this.tab === "feeds") this.drawFeeds(); });
    for (const tab of ["tracks", "claims", "feeds"] as const) $(`tab-${tab}`).addEventListener("click", () => this.show(tab));
    $("tabs").addEventListener("keydown", (event) => this.arrow(event));
    $("filter").addEventListener("input", () => this.draw());
    store.on("picture", seldom(900, () => this.draw()));
    store.on("feeds", () => { if (this.tab === "feeds") this.drawFeeds(); });
    store.on("select", () => this.tab !== "feeds" && this.draw());
  }

  show(tab: Tab): void {
    this.tab = tab;
    for (const t of ["tracks", "claims", "feeds"] as const) {
      $(`tab-${t}`).setAttribute("aria-selected", String(t === tab));
      $(`tab-${t}`).tabIndex = t === tab ? 0 : -1;
    }
    $("list").setAttribute("aria-labelledby", `tab-${tab}`);
    this.rows.clear();
    this.body = null;
    if (tab === "feeds") this.drawFeeds();
    else this.frame(tab);
    this.changed();
  }

  private arrow(event: KeyboardEvent): void {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step || (event.target as HTMLElement).role !== "tab") return;
    event.preventDefault();
    event.stopPropagation();
    const tabs: Tab[] = ["tracks", "claims", "feeds"];
    const next = tabs[(tabs.indexOf(this.tab) + step + tabs.length) % tabs.length]!;
    this.show(next);
    $(`tab-${next}`).focus();
  }

  private frame(tab: "tracks" | "claims"): void {
    const heads = HEADS[tab].map((name, at) =>
      h("th", { scope: "col" }, h("button", { type: "button", click: () => this.sort(tab, at) }, name)));
    this.body = h("tbody");
    this.foot = h("p", { class: "foot" });
    const table = h("table", { class: tab }, h("caption", { class: "unseen" }, tab), h("thead", {}, h("tr", {}, ...heads)), this.body);
    $("list").replaceChildren(table, this.foot);
    this.draw();
  }

  private sort(tab: "tracks" | "claims", at: number): void {
    const by = this.sortBy[tab];
    this.sortBy[tab] = { at, down: by.at === at ? !by.down : false };
    this.draw();
  }

  private draw(): void {
    const { tab } = this;
    if (tab === "feeds" || !this.body || !this.store.picture) return;
    const by = this.sortBy[tab];
    $("list").querySelectorAll("th").forEach((th, i) => th.setAttribute("aria-sort", i !== by.at ? "none" : by.down ? "descending" : "ascending"));
    const wanted = $<HTMLInputElement>("filter").value.trim().toLowerCase();
    const own = tab === "tracks" ? trackRows(this.store) : claimRows(this.store);
    const rows = this.store.replaying ? own : withOthers(own, otherRows(tab));
    const all = rows.n;
    let order = Array.from({ length: all }, (_, i) => i);
    if (wanted) order = order.filter((i) => [...rows.cells(i), rows.note(i)].some((c) => c.toLowerCase().includes(wanted)));
    sortRows(order, rows.sort[by.at]!, rows.sort[0]!, by.down);
    const found = order.length;
    const shown = order.slice(0, ROWS_MAX);
    const chosen = order.find((i) => rows.key(i) === this.store.selected);
    if (chosen !== undefined && !shown.includes(chosen)) shown.unshift(chosen);
    const keep = new Set(shown.map((i) => rows.key(i)));
    for (const [key, tr] of this.rows) if (!keep.has(key)) { tr.remove(); this.rows.delete(key); }
    const focused = document.activeElement as HTMLElement | null; // a row that moves would lose it
    shown.forEach((row, at) => {
      const [key, cells] = [rows.key(row), rows.cells(row)];
      const tr = this.rows.get(key) ?? this.newRow(key, cells.length);
      cells.forEach((text, c) => say(c ? tr.cells[c]! : tr.cells[0]!.firstElementChild!, text));
      say(tr.cells[0]!.lastElementChild!, rows.note(row));
      tr.dataset["state"] = rows.state(row);
      tr.setAttribute("aria-selected", String(key === this.store.selected));
      if (this.body!.children[at] !== tr) this.body!.insertBefore(tr, this.body!.children[at] ?? null);
    });
    if (focused !== document.activeElement && focused?.isConnected && this.body.contains(focused)) focused.focus({ preventScroll: true });
    const units = "Height in m above the ellipsoid, speed in m/s.";
    const told = found === all ? `${all}` : `${found} found, ${all} in all`;
    say(this.foot!, !all ? `No ${tab} now.` : shown.length < found ? `${shown.length} shown of ${told}. ${units}` : found < all ? `${told}. ${units}` : units);
  }

  private newRow(key: string, columns: number): HTMLTableRowElement {
    const go = (): void => {
      this.store.select(key);
      const at = this.store.where(key);
      if (at) this.stage.flyTo(at.latitude, at.longitude);
    };
    const tr = h("tr", { click: go }, h("th", { scope: "row" }, h("button", { type: "button" }), h("small")), ...Array.from({ length: columns - 1 }, () => h("td")));
    this.rows.set(key, tr);
    return tr;
  }

  private drawFeeds(): void {
    if (document.activeElement?.closest("#list a, #list .order")) return; // somebody is among links or fields: they are not taken from under the fingers
    const { feeds, feedsMs } = this.store;
    const items = feeds.map((f) => {
      const silent = f.received_ns === "0" ? Infinity : (feedsMs - msOf(f.received_ns)) / 1000;
      const state = f.quiet || silent === Infinity ? "quiet" : f.faults ? "faults" : "fine";
      const line = (name: string, ...value: (Node | string)[]): HTMLElement => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
      return h("li", { class: `feed ${state}` },
        h("h3", {}, h("i", { "aria-hidden": true }, state === "quiet" ? "✕" : state === "faults" ? "!" : "✓"), f.feed,
          h("span", {}, state === "quiet" ? "quiet" : "delivering")),
        h("dl", {},
          line("Rate", f.rate_hz === null ? "–" : `${f.rate_hz.toFixed(1)} messages/s`),
          line("Last frame", silent === Infinity ? "never" : `${duration(silent)} ago`),
          ...delayLines(f).map(([name, text]) => line(name, text)),
          this.health.gapsOf(f.feed),
          line("So far", `${f.messages.toLocaleString("en")} messages in ${f.frames.toLocaleString("en")} frames, ${(f.bytes / 1e6).toFixed(2)} MB`),
          line("Refused", f.faults ? `${f.faults.toLocaleString("en")} (${((100 * f.faults) / Math.max(1, f.faults + f.messages)).toFixed(1)} %)` : "none"),
          ...(f.link ? [line("Link", f.link)] : []),
          ...(f.last_fault ? [line("Last refusal", `${f.last_fault} `, frameLink(f.last_fault_seq)), line("Its bytes", h("code", {}, f.last_fault_example))] : []),
        ));
    });
    const focused = document.activeElement === $("list");
    $("list").replaceChildren(h("ul", { class: "feeds" }, ...(items.length ? items : [h("li", { class: "none" }, "No feeds yet.")]), ...this.store.outputs.map(outputItem), ...this.store.sensors.map(sensorItem), ...(this.store.replaying ? [] : otherItems()), ...this.health.items()));
    if (focused) $("list").focus();
  }
}

const BIAS: Record<string, [string, string, number]> = {
  range_m: ["Range", "m", 0], azimuth_deg: ["Azimuth", "°", 2], elevation_deg: ["Elevation", "°", 2],
  time_s: ["Clock", "s", 2], east_m: ["Place, east", "m", 0], north_m: ["Place, north", "m", 0],
};

/** How an output fares. */
function outputItem(o: Output): HTMLElement {
  const line = (name: string, value: string): HTMLElement => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const state = o.state === "failing" ? "quiet" : o.dropped || o.waiting ? "faults" : "fine";
  return h("li", { class: `feed ${state}` },
    h("h3", {}, h("i", { "aria-hidden": true }, state === "quiet" ? "✕" : state === "faults" ? "!" : "✓"), o.output, h("span", {}, `output, ${o.state}`)),
    h("dl", {}, line("Sends", `${o.kind} to ${o.to}`), line("So far", `${o.sent.toLocaleString("en")} messages, ${(o.bytes / 1e6).toFixed(2)} MB`),
      ...(o.waiting ? [line("Waiting", String(o.waiting))] : []), ...(o.dropped ? [line("Given up", String(o.dropped))] : []),
      ...(o.failures ? [line("Failures", String(o.failures))] : []), ...(o.link ? [line("Link", o.link)] : [])));
}

/** How far a sensor is off, as far as that can be known. */
/** How old measurements are when they come, and what the youngest say of the feed's clock. */
function delayLines(f: Feed): [string, string][] {
  const [now, least] = [f.delay_ms ?? null, f.delay_ms_min ?? null];
  if (now === null || least === null) return [["Latency", "not known: it states no times"]];
  const ms = (n: number): string => (Math.abs(n) < 10_000 ? `${n.toFixed(0)} ms` : duration(Math.abs(n) / 1000));
  const clock = least < 0 ? `ahead of this machine's by ${ms(-least)} or more` : `behind this machine's by ${ms(least)} at most`;
  return [["Latency", now < 0 ? "less than nothing: its clock is ahead" : `${ms(now)}, ${ms(least)} at least in the last minute`], ["Clock", clock]];
}

function sensorItem(s: Sensor): HTMLElement {
  const rows = Object.entries(s.biases).filter(([, b]) => b.value !== null).map(([name, b]) => {
    const [word, unit, digits] = BIAS[name] ?? [name, "", 2];
    return h("div", {}, h("dt", {}, word), h("dd", {}, `${b.value! >= 0 ? "+" : "−"}${Math.abs(b.value!).toFixed(digits)} ± ${b.sigma.toFixed(digits)} ${unit}${b.moved_ns !== "0" && b.norm !== null ? `, was ${b.norm.toFixed(digits)}` : ""}${b.outside_ns !== "0" ? `, tolerance ${b.tolerance}` : ""}`));
  });
  const differs = Object.entries(s.against?.differences ?? {}).map(([name, d]) => {
    const [word, unit, digits] = BIAS[name] ?? [name, "", 2];
    return h("div", {}, h("dt", {}, `${word} less ${s.against!.sensor}'s`), h("dd", {}, `${d.value >= 0 ? "+" : "−"}${Math.abs(d.value).toFixed(digits)} ± ${d.sigma.toFixed(digits)} ${unit}`));
  });
  const drifts = Object.values(s.biases).some((b) => b.moved_ns !== "0" || b.outside_ns !== "0");
  return h("li", { class: `feed ${drifts ? "faults" : "fine"}` }, h("h3", {}, s.sensor, h("span", {}, drifts ? "drifts" : rows.length ? "off by, taken out" : "nothing known of its errors")),
    h("dl", {}, ...rows, h("div", {}, h("dt", {}, "Rests on"), h("dd", {}, `${s.looks} looks at trusted traffic${s.shared ? `, ${s.shared} at tracks that it shares` : ""}`)), ...differs));
}

/** Our rows together with those of other sites. */
function withOthers(own: Rows, others: OtherRow[]): Rows {
  if (!others.length) return own;
  const either = <T>(mine: (i: number) => T, theirs: (row: OtherRow) => T) => (i: number): T => (i < own.n ? mine(i) : theirs(others[i - own.n]!));
  const number = (text: string): number | string => (text !== "" && Number.isFinite(Number.parseFloat(text)) ? Number.parseFloat(text) : text);
  return {
    n: own.n + others.length, key: either(own.key, (o) => o.key), cells: either(own.cells, (o) => o.cells), note: either(own.note, (o) => o.site),
    state: either(own.state, (o) => (o.old ? "coasting" : "")), sort: own.sort.map((by, at) => either(by, (o) => number(o.cells[at]!))),
  };
}

/** Sorts row numbers by a column, ties by another one. Numbers are compared as numbers, words in the order of the alphabet. */
function sortRows(order: number[], by: (i: number) => number | string, then: (i: number) => number | string, down: boolean): void {
  const turn = down ? -1 : 1;
  const [first, second] = [by, then].map((of) => new Map(order.map((i) => [i, of(i)]))) as [Map<number, number | string>, Map<number, number | string>];
  order.sort((a, b) => compare(first.get(a)!, first.get(b)!) * turn || compare(second.get(a)!, second.get(b)!));
}
const alphabet = new Intl.Collator();
const compare = (a: number | string, b: number | string): number => (typeof a === "number" && typeof b === "number" ? a - b : alphabet.compare(String(a), String(b)));

const NO_ROWS: Rows = { n: 0, key: String, sort: Array.from({ length: 8 }, () => () => 0), cells: () => [], note: () => "", state: () => "" };

function trackRows(store: Store): Rows {
  const t = store.picture!.tracks;
  if (!t.n) return NO_ROWS;
  const [id, status, height, speed, course, existence, ages] = ["id", "status", "height", "speed", "course", "existence", "age"].map((c) => col(t, c)) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  const claims = (i: number): string => (store.claimsOfTrack.get(id[i]!) ?? []).map((r) => nameOf(store, claimKey(store, r))).join(", ");
  const key = (i: number): string => `t${id[i]!}`;
  return {
    n: t.n, key, note: () => "",
    state: (i) => (store.alarmed.has(key(i)) ? "alarmed" : STATUSES[status[i]!] ?? ""),
    cells: (i) => [`T${id[i]!}`, STATUSES[status[i]!] ?? "", height[i]! === HEIGHT_UNKNOWN ? "–" : height[i]!.toFixed(0), speed[i]!.toFixed(0), degrees(course[i]!), existence[i]!.toFixed(2), shortAge(ages[i]!), claims(i) || "none"],
    sort: [...[id, status, height, speed, course, existence, ages].map((c) => (i: number) => c[i]!), claims],
  };
}

export const claimKey = (store: Store, row: number): string =>
  `c${bookOf(col(store.picture!.claims, "source")[row]!)}:${col(store.picture!.claims, "address")[row]!}`;

/** Of a claim without a place: what is known of where it is. */
export function heardBy(store: Store, key: string): string {
  const feed = store.remote[key]?.feed;
  return feed ? `place unknown, heard by ${feed}` : "";
}

const WORTH = [1, 3, 4, 5, 0]; // of a condition: how much it is worth looking at

function claimRows(store: Store): Rows {
  const t = store.picture!.claims;
  if (!t.n) return NO_ROWS;
  const [source, condition, height, speed, nic, ages, track, placed] = ["source", "condition", "height", "speed", "nic", "age", "track", "placed"].map((c) => col(t, c)) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  const key = (i: number): string => claimKey(store, i);
  const name = (i: number): string => nameOf(store, key(i));
  const cells = (i: number): string[] => {
    const here = placed[i]! === 1;
    return [
      name(i), SOURCES[source[i]!] ?? "?", CONDITIONS[condition[i]!] ?? "?", here && height[i]! !== HEIGHT_UNKNOWN ? height[i]!.toFixed(0) : "–",
      here ? speed[i]!.toFixed(0) : "–", nic[i]! === 255 ? "–" : String(nic[i]!), shortAge(ages[i]!), track[i]! === NO_TRACK ? "none" : `T${track[i]!}`,
    ];
  };
  return {
    n: t.n, key, cells,
    note: (i) => (placed[i]! ? "" : heardBy(store, key(i).slice(1))),
    state: (i) => CONDITIONS[condition[i]!] ?? "",
    sort: [name, (i) => source[i]!, (i) => WORTH[condition[i]!] ?? 0, ...[height, speed, nic, ages, track].map((c) => (i: number) => c[i]!)],
  };
}
