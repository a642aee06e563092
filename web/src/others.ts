// Other sites: what their servers say, beside our own picture and never mixed with it. Our server keeps the links and checks
// what comes; this page asks it once a second and draws in each site's colour. Nothing of it sounds, and nothing can be done
// about it here: that is for the people of that site.

import { $, PRIORITY, drawing, h, say } from "./dom";
import { ask } from "./evidence";
import type { Box } from "./remote";
import type { Store } from "./store";
import { faint, tint } from "./theme";
import { mercatorX, mercatorY, pixelX, pixelY, type Stage, type View } from "./view";
import { HEIGHT_UNKNOWN, col, decode, type Picture, type Table } from "./wire";
import { CONDITIONS, SOURCES, STATUSES, bookOf, degrees, duration, latlon, msOf, nameAddress, shortAge, utc, type Alarm, type Feed } from "./words";

const AGAIN_MS = 1000;
const DRAWN_MAX = 2000; // symbols of all other sites in view
const LABELS_MAX = 80;
const LABEL_ZOOM = 8.5;
const HIT_PX = 14;

export interface Other {
  number: number; name: string; colour: string; to: string; state: "live" | "old" | "never"; connected: boolean; why: string; site: string;
  faults: number; last_fault: string; age_s: number | null; tick: number | null; time_ns: string | null;
  alarms: Alarm[]; feeds: Feed[]; names: Record<string, string>; picture: Picture | null;
}
interface Mark { key: string; x: number; y: number; course: number; claim: boolean; label: string }

let others: Other[] = [];
const siteOf = (key: string): Other | undefined => others.find((o) => key.startsWith(`o${o.number}:`));
/** Which row of which table a key like "o0:t7" or "o0:c0:7471234" means. */
function rowOf(key: string): { other: Other; table: Table; row: number; track: boolean } | null {
  const other = siteOf(key);
  const own = key.slice(key.indexOf(":") + 1);
  if (!other?.picture) return null;
  const track = own.startsWith("t");
  const table = track ? other.picture.tracks : other.picture.claims;
  for (let row = 0; row < table.n; row++) if (ownKey(table, row, track) === own) return { other, table, row, track };
  return null;
}
const ownKey = (table: Table, row: number, track: boolean): string =>
  track ? `t${col(table, "id")[row]!}` : `c${bookOf(col(table, "source")[row]!)}:${col(table, "address")[row]!}`;
function ownName(other: Other, own: string): string {
  if (own.startsWith("t")) return `T${own.slice(1)}`;
  const [book, address] = own.slice(1).split(":").map(Number) as [number, number];
  return other.names[own.slice(1)] ?? nameAddress(address, book);
}
const oldness = (o: Other): string => (o.state === "live" ? "" : o.age_s === null ? "no picture yet" : `old: ${duration(o.age_s)}`);

export function nameOfOther(key: string): string {
  const other = siteOf(key);
  return other ? `${other.name} ${ownName(other, key.slice(key.indexOf(":") + 1))}` : "another site";
}
export function whereOther(key: string): { latitude: number; longitude: number } | null {
  const found = rowOf(key);
  return found && { latitude: col(found.table, "latitude")[found.row]!, longitude: col(found.table, "longitude")[found.row]! };
}

/** What is told of a selected one. */
export function linesOfOther(key: string): { kind: string; lines: [string, string][] } {
  const found = rowOf(key);
  if (!found) return { kind: "Of another site, no longer in its picture", lines: [] };
  const { other, table, row, track } = found;
  const of = (name: string): number => col(table, name)[row]!;
  const old = oldness(other);
  return {
    kind: `${track ? `Track of ${other.name}, ${STATUSES[of("status")] ?? ""}` : `Claim that ${other.name} heard, ${SOURCES[of("source")] ?? "?"}, navigation ${CONDITIONS[of("condition")] ?? "?"}`}${old && ` (${old})`}`,
    lines: [
      ["Site", `${other.name}${other.site && other.site !== other.name ? ` (${other.site})` : ""}: its own picture, not compared with ours`],
      ...(track ? [["Exists", `${(100 * of("existence")).toFixed(0)} %`] as [string, string]] : []),
      ["Height", of("height") === HEIGHT_UNKNOWN ? "not measured" : `${of("height").toFixed(0)} m`],
      ["Speed", `${of("speed").toFixed(1)} m/s`], ["Course", degrees(of("course"))],
      ["Position", latlon(of("latitude"), of("longitude"))], ["Last seen", `${shortAge(of("age"))} before its picture`],
    ],
  };
}

export interface OtherRow { key: string; site: string; cells: string[]; old: boolean }
/** Rows for the table of tracks or claims, in its columns. */
export function otherRows(tab: "tracks" | "claims"): OtherRow[] {
  return others.flatMap((o) => {
    const table = o.picture?.[tab];
    if (!table) return [];
    return Array.from({ length: table.n }, (_, row): OtherRow => {
      const of = (name: string): number => col(table, name)[row]!;
      const own = ownKey(table, row, tab === "tracks");
      const height = of("height") === HEIGHT_UNKNOWN ? "–" : of("height").toFixed(0);
      const cells = tab === "tracks"
        ? [ownName(o, own), STATUSES[of("status")] ?? "", height, of("speed").toFixed(0), degrees(of("course")), of("existence").toFixed(2), shortAge(of("age")), "its own"]
        : [ownName(o, own), SOURCES[of("source")] ?? "?", CONDITIONS[of("condition")] ?? "?", of("placed") ? height : "–", of("placed") ? of("speed").toFixed(0) : "–", of("nic") === 255 ? "–" : String(of("nic")), shortAge(of("age")), "its own"];
      return { key: `o${o.number}:${own}`, site: `${o.name}${oldness(o) && `, ${oldness(o)}`}`, cells, old: o.state !== "live" };
    });
  });
}

/** What changes when the alarms of other sites do. */
export const othersKey = (): string => JSON.stringify(others.map((o) => [o.name, o.state, o.connected, o.alarms]));
/** Alarms of other sites, under ours. */
export function otherAlarms(store: Store, stage: Stage): HTMLElement[] {
  if (store.replaying) return [];
  return others.flatMap((o) => [
    h("li", { class: "others" }, `Of ${o.name}${oldness(o) && ` (${oldness(o)})`}: ${o.alarms.some((a) => a.state !== "cleared") ? "silent here" : "no alarms"}`),
    ...o.alarms.filter((a) => a.state !== "cleared").map((a) => {
      const mark = PRIORITY[a.priority] ?? PRIORITY["low"]!;
      const key = a.subject === "track" ? `o${o.number}:t${a.subject_id}` : "";
      const go = (): void => {
        if (key) store.select(key);
        const at = whereOther(key) ?? a;
        stage.flyTo(at.latitude, at.longitude);
      };
      return h("li", { class: `alarm ${a.state} elsewhere`, "data-priority": a.priority },
        h("button", { type: "button", "data-elsewhere": `${o.number}:${a.id}`, click: go },
          drawing([{ d: mark.path, fill: "none", stroke: mark.colour, "stroke-width": "2" }]),
          h("span", { class: "head" }, h("b", {}, a.priority), h("span", { class: "rule" }, a.rule), h("span", { class: "zone" }, `${o.name}${a.zone && `, ${a.zone}`}`)),
          h("span", { class: "since", "data-raised": String(msOf(a.raised_ns)) }), h("span", { class: "reason" }, a.reason), h("span", { class: "state" }, a.state)));
    }),
  ]);
}

/** How each link and the feeds behind it fare. */
export function otherItems(): HTMLElement[] {
  const line = (name: string, value: string): HTMLElement => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return others.map((o) => {
    const quiet = o.feeds.filter((f) => f.quiet);
    const state = o.state !== "live" ? "quiet" : quiet.length || o.faults ? "faults" : "fine";
    return h("li", { class: `feed ${state}` },
      h("h3", {}, h("i", { "aria-hidden": true }, state === "quiet" ? "✕" : state === "faults" ? "!" : "✓"), o.name, h("span", {}, `other site, ${oldness(o) || "live"}`)),
      h("dl", {},
        line("Server", `${o.to}${o.connected ? "" : ", not connected"}`), ...(o.why ? [line("Because", o.why)] : []),
        ...(o.site ? [line("Calls itself", o.site)] : []),
        ...(o.time_ns ? [line("Its picture", `${utc(msOf(o.time_ns))} UTC, came ${duration(o.age_s ?? 0)} ago: ${o.picture?.tracks.n ?? 0} tracks, ${o.picture?.claims.n ?? 0} claims`)] : []),
        line("Its feeds", o.feeds.length ? o.feeds.map((f) => `${f.feed} ${f.quiet ? "QUIET" : f.rate_hz === null ? "delivering" : `${f.rate_hz.toFixed(1)}/s`}`).join(", ") : "not told"),
        ...(o.faults ? [line("Wrong messages", `${o.faults}, the last: ${o.last_fault}`)] : [])));
  });
}

export class Others {
  private drawn: Mark[] = [];
  private known = new Set<string>();
  private alarms = "[]";
  private told = false; // whether the first alarms were heard: those are not news

  constructor(private readonly store: Store, private readonly stage: () => Stage) {
    const again = (): void => { void this.ask().finally(() => setTimeout(again, AGAIN_MS)); };
    again();
  }

  private async ask(): Promise<void> {
    if (document.hidden || this.store.replaying || !this.store.offers.has("links")) return;
    try {
      const { links } = await ask<{ links: Other[] }>("/v1/links");
      const before = new Map(others.map((o) => [o.name, o]));
      others = await Promise.all(links.map(async (link) => {
        const old = before.get(link.name);
        if (link.tick === null || (old?.picture && old.tick === link.tick)) return { ...link, picture: old?.picture ?? null };
        const reply = await fetch(`/v1/links/${link.number}/picture`);
        return { ...link, picture: reply.ok ? decode(await reply.arrayBuffer()) : null };
      }));
    } catch {
      others = others.map((o) => ({ ...o, state: o.picture ? "old" as const : "never" as const, age_s: (o.age_s ?? 0) + AGAIN_MS / 1000 }));
    }
    this.announce();
    const key = othersKey();
    if (key !== this.alarms) this.store.emit("alarms"); // makes everything be drawn anew: only where it must
    this.alarms = key;
    this.store.emit("feeds");
    this.stage().redraw();
  }

  private announce(): void {
    for (const o of others) {
      for (const a of o.alarms) {
        const key = `${o.name} ${a.id}`;
        if (this.told && !this.known.has(key) && a.state !== "cleared") say($("announce"), `${o.name}: ${a.priority} alarm: ${a.rule}${a.zone ? `, zone ${a.zone}` : ""}. ${a.reason}`);
        this.known.add(key);
      }
    }
    this.told ||= others.length > 0;
  }

  /** The key of the nearest symbol within reach, or "". */
  hit(x: number, y: number): string {
    let [best, found] = [HIT_PX, ""];
    for (const m of this.drawn) {
      const d = Math.hypot(m.x - x, m.y - y);
      if (d <= best) [best, found] = [d, m.key];
    }
    return found;
  }

  draw(ink: CanvasRenderingContext2D, view: View): Box[] {
    this.drawn = [];
    if (this.store.replaying) return [];
    const boxes: Box[] = [];
    for (const o of others) {
      const alpha = o.state === "live" ? 1 : 0.45;
      for (const mark of this.inView(o, view)) {
        this.symbol(ink, mark, o.colour, alpha);
        this.drawn.push(mark);
        if (boxes.length < LABELS_MAX && this.store.shows("labels") && this.stage().zoom >= LABEL_ZOOM) label(ink, mark, o, alpha, boxes);
      }
    }
    return boxes;
  }

  private inView(o: Other, view: View): Mark[] {
    const out: Mark[] = [];
    for (const name of ["claims", "tracks"] as const) {
      const table = o.picture?.[name];
      if (!table?.n || !this.store.shows(name)) continue;
      const [latitude, longitude, course] = [col(table, "latitude"), col(table, "longitude"), col(table, "course")];
      const placed = name === "claims" ? col(table, "placed") : null;
      for (let row = 0; row < table.n && this.drawn.length + out.length < DRAWN_MAX; row++) {
        if (placed && !placed[row]) continue;
        const [x, y] = [pixelX(view, mercatorX(longitude[row]!)), pixelY(view, mercatorY(latitude[row]!))];
        if (x < -10 || y < -10 || x > view.width + 10 || y > view.height + 10) continue;
        const own = ownKey(table, row, name === "tracks");
        out.push({ key: `o${o.number}:${own}`, x, y, course: (course[row]! * Math.PI) / 180, claim: name === "claims", label: ownName(o, own) });
      }
    }
    return out;
  }

  private symbol(ink: CanvasRenderingContext2D, m: Mark, colour: string, alpha: number): void {
    ink.save();
    ink.translate(m.x, m.y);
    ink.globalAlpha = alpha;
    if (m.key === this.store.selected) {
      ink.strokeStyle = tint["mark-chosen"];
      ink.lineWidth = 1.5;
      ink.strokeRect(-11, -11, 22, 22);
    }
    ink.rotate(m.course);
    ink.beginPath();
    if (m.claim) ink.arc(0, 0, 5, 0, 2 * Math.PI);
    else for (const [x, y] of [[0, -8], [5, 7], [0, 4], [-5, 7], [0, -8]] as const) ink.lineTo(x, y);
    for (const [width, stroke] of [[4, faint(tint["mark-halo"], 0.85)], [1.8, colour]] as const) {
      ink.lineWidth = width;
      ink.strokeStyle = stroke;
      ink.stroke();
    }
    ink.restore();
  }
}

function label(ink: CanvasRenderingContext2D, m: Mark, o: Other, alpha: number, boxes: Box[]): void {
  const text = `${o.name} ${m.label}${oldness(o) && ` ${oldness(o)}`}`;
  ink.font = "600 11px 'Open Sans', sans-serif";
  const box: Box = [m.x + 10, m.y - 7, m.x + 16 + ink.measureText(text).width, m.y + 7];
  if (boxes.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1])) return;
  boxes.push(box);
  ink.textBaseline = "middle";
  ink.lineJoin = "round";
  ink.strokeStyle = faint(tint["mark-halo"], 0.9);
  ink.lineWidth = 3;
  ink.strokeText(text, m.x + 12, m.y);
  ink.globalAlpha = Math.max(alpha, 0.75);
  ink.fillStyle = o.colour;
  ink.fillText(text, m.x + 12, m.y);
  ink.globalAlpha = 1;
}
