// Why a track is believed: existence and kinds over time, detections sensor by sensor down to their bytes, alarms.

import { PRIORITY, drawing, h, seldom } from "./dom";
import { ask, frameLink, showFrame } from "./evidence";
import type { Store } from "./store";
import { KINDS, msOf, utc, type Alarm } from "./words";

const AGAIN_MS = 5000;
const LEAST_MS = 60_000;
const WIDTH = 262;
const LINE_PX = 46; // height of a panel with lines
const ROW_PX = 13; // of a sensor
const LAST = 4; // detections of a sensor that are listed as links
const MINUTES = [10, 30];
const SVG = "http://www.w3.org/2000/svg";
// Each kind its colour and its dash: told apart without colour, and named in the legend.
const INK: [string, string][] = [["var(--line-1)", ""], ["var(--line-2)", "5 2"], ["var(--line-3)", "2 2"]];

interface Answer {
  since_ns: string; until_ns: string; time_ns: string[]; existence: number[]; kinds: Record<string, number[]>;
  seen: { time_ns: string[]; frame: (number | null)[]; sensor: (string | null)[] }; seen_left_out: number; alarms: Alarm[];
}
interface Sight { ms: number; frame: number | null }

export class Why {
  readonly box = h("details", { id: "why" });
  private readonly body = h("div");
  private answer: Answer | null = null;
  private of = 0;
  private asked = -Infinity; // time of the picture for which it was asked
  private minutes = MINUTES[0]!;
  private sinceMs = 0; // left end of what is drawn
  private readonly spans = MINUTES.map((m) => h("button", { type: "button", click: () => { this.minutes = m; void this.ask(); } }, `${m} min`));

  constructor(private readonly store: Store, private readonly show: (ms: number) => void) {
    this.box.append(h("summary", {}, "Why: evidence over time"), h("p", { class: "spans", role: "group", "aria-label": "Time shown" }, ...this.spans), this.body);
    this.box.addEventListener("toggle", () => { if (this.box.open) void this.ask(); });
    store.on("select", () => this.select());
    store.on("picture", seldom(500, () => { // in a replay, time may jump
      if (this.box.open && this.of && Math.abs(this.store.nowMs - this.asked) > AGAIN_MS) void this.ask();
    }));
    this.select();
  }

  private select(): void {
    const key = this.store.selected;
    this.of = key.startsWith("t") ? Number(key.slice(1)) : 0;
    this.box.hidden = !this.of;
    this.answer = null;
    this.body.replaceChildren();
    if (this.of && this.box.open) void this.ask();
  }

  private async ask(): Promise<void> {
    const { of, minutes } = this;
    this.asked = this.store.nowMs;
    this.spans.forEach((button, i) => button.setAttribute("aria-pressed", String(MINUTES[i] === minutes)));
    const until = BigInt(Math.ceil(this.store.nowMs) + 1) * 1_000_000n;
    try {
      const answer = await ask<Answer>(`/v1/why?track=${of}&since_ns=${until - BigInt(minutes) * 60_000_000_000n}&until_ns=${until}`);
      if (this.of !== of) return;
      this.answer = answer;
      this.draw();
    } catch (error) {
      if (this.of === of) this.body.replaceChildren(h("p", {}, (error as Error).message));
    }
  }

  private draw(): void {
    const { answer } = this;
    if (!answer) return;
    const times = answer.time_ns.map(msOf);
    const sensors = bySensor(answer);
    if (!times.length && !sensors.size) {
      this.body.replaceChildren(h("p", {}, "Nothing is recorded of this track in these minutes."));
      return;
    }
    const until = msOf(answer.until_ns);
    const first = Math.min(times[0] ?? until, ...[...sensors.values()].map((s) => s[0]!.ms));
    const since = this.sinceMs = Math.max(msOf(answer.since_ns), Math.min(first - 2000, until - LEAST_MS)); // a young track fills the box too
    const x = (ms: number): number => ((ms - since) / (until - since)) * WIDTH;
    const kinds = Object.entries(answer.kinds).filter(([, p]) => Math.max(...p) >= 0.05)
      .sort(([, a], [, b]) => b[b.length - 1]! - a[a.length - 1]!).slice(0, INK.length);
    const open = document.activeElement?.closest("#why ul") !== null && this.box.contains(document.activeElement);
    if (open) return; // somebody is among the links: they are not taken from under the fingers
    this.body.replaceChildren(
      panel("Exists", [[answer.existence, "var(--text)", ""]], times, x),
      panel("Kind", kinds.map(([, p], i) => [p, ...INK[i]!]), times, x),
      h("ul", { class: "inks" }, ...kinds.map(([name, p], i) => h("li", {}, ink(i), `${words(name)} ${Math.round(100 * p[p.length - 1]!)} %`))),
      this.rows(sensors, answer.alarms, x),
      h("p", { class: "axis" }, h("span", {}, utc(since)), h("span", {}, `${utc(until)} UTC`)),
      ...this.told(sensors, answer),
    );
  }

  /** A row of ticks per sensor, and one of alarms. A tick shows its bytes; a click elsewhere shows that moment. */
  private rows(sensors: Map<string, Sight[]>, alarms: Alarm[], x: (ms: number) => number): SVGSVGElement {
    const svg = canvas(ROW_PX * (sensors.size + (alarms.length ? 1 : 0)));
    let y = 0;
    for (const [name, sights] of sensors) {
      svg.append(shape("path", { d: `M0 ${y + ROW_PX - 1}H${WIDTH}`, stroke: "var(--edge)" }));
      for (const { ms, frame } of sights) {
        const tick = shape("path", { d: `M${x(ms).toFixed(1)} ${y + 2}V${y + ROW_PX - 2}`, class: "sight", stroke: "var(--good)", "stroke-width": 2 }, `${name} ${utc(ms)} UTC${frame === null ? ": its bytes are no longer in the journal" : `, entry ${frame}`}`);
        if (frame !== null) tick.addEventListener("click", (event) => { event.stopPropagation(); void showFrame(frame); });
        svg.append(tick);
      }
      y += ROW_PX;
    }
    for (const a of alarms) {
      const { colour, path } = PRIORITY[a.priority] ?? PRIORITY["low"]!;
      const at = x(msOf(a.raised_ns));
      svg.append(shape("path", { d: path, fill: colour, transform: `translate(${Math.max(0, Math.min(WIDTH - 12, at - 6)).toFixed(1)} ${y}) scale(0.5)` }, `${utc(msOf(a.raised_ns))} UTC ${a.priority}: ${a.rule} ${a.zone}`));
    }
    const answer = this.answer!;
    const [since, until] = [this.sinceMs, msOf(answer.until_ns)];
    if (this.store.canReplay) {
      svg.classList.add("moments");
      svg.addEventListener("click", ({ offsetX }) => this.show(since + (offsetX / WIDTH) * (until - since)));
    }
    return svg;
  }

  /** The same in words, with links to the bytes: for who cannot or will not aim at a tick. */
  private told(sensors: Map<string, Sight[]>, answer: Answer): HTMLElement[] {
    const lists = [...sensors].map(([name, sights]) => {
      const last = sights.slice(-LAST).reverse();
      return h("li", {}, h("b", {}, name), ` ${sights.length} detection${sights.length > 1 ? "s" : ""}, last `, ...last.flatMap(({ ms, frame }) => [` ${utc(ms)} `, frame === null ? "(gone)" : frameLink(frame)]));
    });
    const alarms = answer.alarms.map((a) => {
      const { colour, path } = PRIORITY[a.priority] ?? PRIORITY["low"]!;
      return h("li", { class: "raised" }, drawing([{ d: path, fill: colour }]), ` ${utc(msOf(a.raised_ns))} ${a.rule}${a.zone ? `, ${a.zone}` : ""}${a.cleared_ns === "0" ? "" : `, cleared ${utc(msOf(a.cleared_ns))}`}`);
    });
    const more = answer.seen_left_out ? [h("p", {}, `${answer.seen_left_out} earlier detections are not drawn.`)] : [];
    return [h("ul", {}, ...lists, ...alarms), ...more];
  }
}

const words = (name: string): string => KINDS.find((k) => k.replace(/[ -]/g, "_") === name) ?? name;

function bySensor(answer: Answer): Map<string, Sight[]> {
  const found = new Map<string, Sight[]>();
  answer.seen.time_ns.forEach((ns, i) => {
    const name = answer.seen.sensor[i] ?? "unknown sensor";
    const sights = found.get(name) ?? [];
    sights.push({ ms: msOf(ns), frame: answer.seen.frame[i] ?? null });
    found.set(name, sights);
  });
  return new Map([...found].sort(([a], [b]) => a.localeCompare(b)));
}

function shape(tag: string, attributes: Record<string, string | number>, title = ""): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (title) made.append(Object.assign(document.createElementNS(SVG, "title"), { textContent: title }));
  return made;
}

function canvas(height: number): SVGSVGElement {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, "aria-hidden": "true" }) as SVGSVGElement;
  return svg;
}

function ink(i: number): SVGSVGElement {
  const svg = shape("svg", { viewBox: "0 0 22 8", width: 22, height: 8, "aria-hidden": "true" }) as SVGSVGElement;
  svg.append(shape("path", { d: "M0 4H22", stroke: INK[i]![0], "stroke-width": 2, "stroke-dasharray": INK[i]![1] }));
  return svg;
}

/** Probabilities from 0 (bottom) to 1 over time; a gap of more than 5 s is a gap. */
function panel(name: string, lines: [number[], string, string][], times: number[], x: (ms: number) => number): HTMLElement {
  const svg = canvas(LINE_PX);
  const y = (p: number): number => LINE_PX - 2 - p * (LINE_PX - 4);
  for (const p of [0, 0.5, 1]) svg.append(shape("path", { d: `M0 ${y(p)}H${WIDTH}`, stroke: "var(--edge)", "stroke-dasharray": p === 0.5 ? "2 3" : "" }));
  const step = times.length > 1 ? (times[times.length - 1]! - times[0]!) / (times.length - 1) : 0;
  for (const [values, colour, dash] of lines) {
    const d = values.map((p, i) => `${i && times[i]! - times[i - 1]! <= Math.max(5000, 3 * step) ? "L" : "M"}${x(times[i]!).toFixed(1)} ${y(p).toFixed(1)}`).join("");
    svg.append(shape("path", { d, fill: "none", stroke: colour, "stroke-width": 1.6, "stroke-dasharray": dash }));
  }
  return h("figure", {}, h("figcaption", {}, name, h("small", {}, "0 to 100 %")), svg);
}
