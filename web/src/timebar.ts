// The bar under the map while a replay is shown: scrub, play, speed, alarms as marks; and the banner that says REPLAY.

import { $, PRIORITY, h, say } from "./dom";
import { ask } from "./evidence";
import { RATES, type Replay } from "./replay";
import type { Store } from "./store";
import { day, msOf, utc, type Alarm } from "./words";

const AGAIN_MS = 10_000;
const SPANS: [string, number][] = [["10 min", 600], ["1 h", 3600], ["6 h", 21600], ["24 h", 86400], ["7 days", 604800]];
const SVG = "http://www.w3.org/2000/svg";
const SHAPE_PX = 13;

type Mark = Pick<Alarm, "id" | "raised_ns" | "cleared_ns" | "priority" | "rule" | "zone" | "subject" | "subject_id" | "reason">;
interface Range { since_ns: string; until_ns: string; alarms: Mark[]; alarms_left_out: number }

const urgency = (a: Alarm): number => Object.keys(PRIORITY).indexOf(a.priority); // 0 = critical

export class Timebar {
  private range: Range | null = null;
  private asked = -Infinity;
  private fromMs = 0; // what the bar shows
  private before: Map<number, number> | null = null; // urgency of the live alarms when the past was turned to; null: not known yet
  private readonly unseen = new Map<number, Alarm>();
  private spanMs = 1000 * SPANS[1]![1];
  private readonly slider = $<HTMLInputElement>("moment");
  private readonly play = $<HTMLButtonElement>("play");
  private readonly rates = RATES.map((rate) => h("button", { type: "button", click: () => this.replay.speed(rate) }, `${rate}×`));

  constructor(private readonly store: Store, private readonly live: Store, private readonly replay: Replay) {
    $("to-replay").addEventListener("click", () => this.toggle());
    $("to-live").addEventListener("click", () => this.replay.leave());
    $("live-news").addEventListener("click", () => this.replay.leave());
    this.play.addEventListener("click", () => this.playPause());
    $("back-10").addEventListener("click", () => this.step(-10));
    $("on-10").addEventListener("click", () => this.step(10));
    $("alarm-before").addEventListener("click", () => this.jump(-1));
    $("alarm-after").addEventListener("click", () => this.jump(1));
    $("rates").append(...this.rates);
    const spans = $<HTMLSelectElement>("span");
    spans.append(...SPANS.map(([name, s]) => h("option", { value: s, selected: 1000 * s === this.spanMs }, name)));
    spans.addEventListener("change", () => {
      this.spanMs = 1000 * Number(spans.value);
      this.fromMs = 0;
      this.draw();
    });
    this.slider.addEventListener("input", () => {
      this.replay.scrub(this.fromMs + 1000 * Number(this.slider.value));
      this.told();
    });
    new ResizeObserver(() => this.drawMarks()).observe($("marks"));
    store.on("site", () => { $("to-replay").hidden = !store.canReplay; });
    store.on("mode", () => this.mode());
    store.on("replay", () => this.draw());
    store.on("picture", () => { if (replay.on && performance.now() - this.asked > AGAIN_MS) void this.ask(); });
    live.on("alarms", () => this.news());
  }

  toggle(): void {
    if (this.replay.on) this.replay.leave();
    else if (this.store.canReplay) this.replay.go((this.store.picture?.timeMs ?? Date.now()) - 60_000, false);
  }
  playPause(): void {
    if (!this.replay.on) return;
    const { told } = this.replay;
    this.replay.play(!(this.replay.paused || told?.state === "end" || told?.state === "failed" || told?.state === "idle"));
    this.draw();
  }
  step(seconds: number): void {
    if (this.replay.on) this.replay.go(this.replay.atMs + 1000 * seconds);
  }
  rate(index: number): void {
    const rate = RATES[index];
    if (this.replay.on && rate !== undefined) this.replay.speed(rate);
  }
  /** To the alarm before (-1) or after (1) the moment shown. */
  jump(way: 1 | -1): void {
    if (!this.replay.on) return;
    const at = this.replay.atMs;
    const times = (this.range?.alarms ?? []).filter((a) => (way > 0 ? msOf(a.raised_ns) > at + 1 : msOf(a.raised_ns) < at - 1500));
    const found = way > 0 ? times[0] : times[times.length - 1];
    if (found) this.to(found);
    else say($("announce"), way > 0 ? "No later alarm is recorded." : "No earlier alarm is recorded.");
  }

  private to(a: Mark): void {
    say($("announce"), `${utc(msOf(a.raised_ns))} UTC, ${a.priority} alarm: ${a.rule}${a.zone ? `, zone ${a.zone}` : ""}`);
    if (a.subject === "track") this.store.select(`t${a.subject_id}`);
    this.replay.go(msOf(a.raised_ns));
  }

  private mode(): void {
    document.body.dataset["mode"] = this.replay.on ? "replay" : "live";
    $("timebar").hidden = $("replay-banner").hidden = !this.replay.on;
    say($("to-replay").firstElementChild!, this.replay.on ? "Back to live" : "Replay");
    this.unseen.clear();
    this.before = null;
    if (this.replay.on) void this.ask();
    this.news();
    this.draw();
  }

  /** Alarms that came live, or became more urgent, while the past was looked at. */
  private news(): void {
    const standing = this.live.alarms.filter((a) => a.state !== "cleared");
    if (this.before) for (const a of standing) if (urgency(a) < (this.before.get(a.id) ?? Infinity)) this.unseen.set(a.id, a);
    if (!this.before && this.live.alarmsSeen) this.before = new Map(this.live.alarms.map((a) => [a.id, urgency(a)]));
    const fresh = [...this.unseen.values()].sort((a, b) => urgency(a) - urgency(b));
    const worst = fresh[0]?.priority ?? "";
    $("live-news").hidden = !this.replay.on || !fresh.length;
    $("live-news").dataset["worst"] = worst;
    say($("live-news"), fresh.length ? `${fresh.length} alarm${fresh.length > 1 ? "s" : ""} live, new or more urgent (${worst}): ${fresh[0]!.rule}` : "");
  }

  private async ask(): Promise<void> {
    this.asked = performance.now();
    try {
      this.range = await ask<Range>("/v1/replay/range");
    } catch (error) {
      say($("verdict"), `What can be replayed is not known: ${(error as Error).message}`);
      return;
    }
    this.drawMarks();
    this.draw();
  }

  private draw(): void {
    if (!this.replay.on) return;
    const { told, rate, atMs } = this.replay;
    const state = told?.state ?? "preparing";
    const still = this.replay.paused || state === "end" || state === "failed" || state === "idle";
    say(this.play.firstElementChild!, still ? "▶" : "❚❚");
    this.play.setAttribute("aria-label", still ? "Play" : "Pause");
    this.rates.forEach((button, i) => button.setAttribute("aria-pressed", String(RATES[i] === rate)));
    say($("replay-time"), `${day(atMs)} ${utc(atMs)} UTC`);
    say($("past-time"), `${utc(atMs)} UTC`);
    const real = told?.rate_real ?? 0;
    const slow = real > 0 && real < 0.8 * rate ? `: this machine does ${real.toFixed(real < 10 ? 1 : 0)}×` : "";
    say($("replay-more"), state === "preparing" ? ` ${Math.round(100 * (told?.share ?? 0))} %` : state === "playing" ? slow : "");
    say($("replay-state"), {
      preparing: "preparing", playing: `playing ${rate}×`, paused: "paused",
      end: "end of what is recorded", failed: told?.why ?? "failed", idle: told?.why ?? "ended",
    }[state]);
    $("replay-banner").dataset["state"] = state;
    this.verdict(state);
    if (this.range) this.place(atMs);
  }

  private verdict(state: string): void {
    const different = this.replay.told?.different ?? 0;
    const known = state === "playing" || state === "paused" || state === "end";
    $("verdict").dataset["exact"] = known ? String(this.replay.exact) : "";
    if (!known) return say($("verdict"), "");
    const before = different ? ` (${different} of ${this.replay.told?.compared ?? 0} so far were not)` : "";
    say($("verdict"), {
      true: `✓ exactly what was shown${before}`,
      false: `✕ NOT what was shown: this version of the software makes another picture of the same bytes${before}`,
      null: "no record of what was shown to compare with",
    }[String(this.replay.exact) as "true" | "false" | "null"]);
  }

  /** Put the thumb where the moment is; move the bar along when it would leave it. */
  private place(atMs: number): void {
    const [since, until] = [msOf(this.range!.since_ns), msOf(this.range!.until_ns)];
    const span = Math.min(this.spanMs, Math.max(until - since, 1000));
    const grown = this.slider.max !== String(Math.ceil(span / 1000)); // more was recorded meanwhile
    if (!this.fromMs || grown || atMs < this.fromMs || atMs > this.fromMs + span) {
      this.fromMs = Math.max(since, Math.min(atMs - span / 2, until - span));
      this.slider.max = String(Math.ceil(span / 1000));
      this.drawMarks();
    }
    if (document.activeElement !== this.slider || this.replay.told?.state !== "preparing") this.slider.value = String((atMs - this.fromMs) / 1000);
    this.told();
  }

  private told(): void {
    const ms = this.fromMs + 1000 * Number(this.slider.value);
    this.slider.setAttribute("aria-valuetext", `${day(ms)} ${utc(ms)} UTC`);
  }

  private drawMarks(): void {
    const box = $("marks");
    if (!this.range || !this.fromMs) return;
    const width = box.clientWidth;
    const seconds = Number(this.slider.max);
    const x = (ms: number): number => ((ms - this.fromMs) / (1000 * seconds)) * width;
    const shapes = this.range.alarms.map((a) => ({ a, at: x(msOf(a.raised_ns)), to: x(a.cleared_ns === "0" ? msOf(this.range!.until_ns) : msOf(a.cleared_ns)) }));
    box.replaceChildren(...shapes.filter(({ at, to }) => to >= 0 && at <= width).flatMap(({ a, at, to }) => this.shape(a, at, Math.min(to, width))));
    const end = this.fromMs + 1000 * seconds;
    say($("bar-from"), `${day(this.fromMs)} ${utc(this.fromMs)}`);
    say($("bar-until"), utc(end));
    say($("marks-told"), this.range.alarms.length ? `${this.range.alarms.length} alarm${this.range.alarms.length > 1 ? "s" : ""} recorded` : "no alarm recorded");
  }

  private shape(a: Mark, at: number, to: number): SVGElement[] {
    const part = (tag: string, attributes: Record<string, string | number>): SVGElement => {
      const made = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
      return made;
    };
    const { colour, path } = PRIORITY[a.priority] ?? PRIORITY["low"]!;
    const line = part("path", { d: `M${Math.max(at, 0)} 16H${Math.max(to, at)}`, stroke: colour, "stroke-width": 2 });
    const mark = part("path", { d: path, fill: colour, transform: `translate(${at - SHAPE_PX / 2} 1) scale(${SHAPE_PX / 24})`, class: "mark" });
    const title = part("title", {});
    title.textContent = `${utc(msOf(a.raised_ns))} UTC ${a.priority}: ${a.rule} ${a.zone}`;
    mark.append(title);
    mark.addEventListener("click", () => this.to(a));
    return [line, mark];
  }
}
