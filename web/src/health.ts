// Beside the feeds: where the time goes, SAPIENT nodes, what people ordered of them, and holds on the record. Asked for while
// the list is looked at.

import { h } from "./dom";
import { ask } from "./evidence";
import { Orders } from "./orders";
import type { Store } from "./store";
import type { Stage } from "./view";
import { day, duration, msOf, utc } from "./words";

const AGAIN_MS = 10_000;
const TASKS_MAX = 20;

interface Node {
  feed: string; node: string; name: string; types: string[]; icd: string; state: string; why: string; system: string; mode: string;
  remarks: string[]; registered_ns: string; status_ns: string; modes: string[]; commands: { command: string; units: string }[]; regions: string[];
}
interface Task {
  task_id: string; at_ns: string; feed: string; node: string; wanted: string; name: string; note: string; state: string;
  answers: { at_ns: string; status: string; reason: string }[];
}
interface Hold {
  hold: number; stands: boolean; since_ns: string; until_ns: string; by: string; why: string; laid_ns: string;
  lifted_ns: string; lifted_by: string; lifted_why: string;
}
interface Stretch { stage: string; meaning: string; budget_ms: number; n: number; p50_ms: number; p95_ms: number; p99_ms: number; max_ms: number }
interface Gaps { since_ns: string; feeds: { feed: string; minutes: string }[] } // a character per minute: + heard, - silent, ~ both, . no look
interface Known { nodes: Node[]; tasks: Task[]; holds: Hold[]; stages: Stretch[] }

const when = (ns: string): string => `${day(msOf(ns))} ${utc(msOf(ns))}`;
const line = (name: string, ...value: (globalThis.Node | string)[]): HTMLElement => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
const item = (state: "fine" | "faults" | "quiet", name: string, what: string, lines: HTMLElement[]): HTMLElement =>
  h("li", { class: `feed ${state}` },
    h("h3", {}, h("i", { "aria-hidden": true }, { quiet: "✕", faults: "!", fine: "✓" }[state]), name, h("span", {}, what)), h("dl", {}, ...lines));

export class Health {
  private known: Known = { nodes: [], tasks: [], holds: [], stages: [] };
  private gaps: Gaps | null = null;
  private failed = "";
  private asked = -Infinity;
  private readonly orders: Orders;

  /** `changed` is called when there is something new to draw. */
  constructor(private readonly store: Store, stage: Stage, private readonly changed: () => void) {
    this.orders = new Orders(stage, () => void this.ask());
    store.on("mode", () => { this.asked = -Infinity; });
    store.on("site", () => { this.asked = -Infinity; });
  }

  /** Items for the list. Asks anew when what is known is old; of the past nothing is known. */
  items(): HTMLElement[] {
    if (this.store.replaying || !this.store.offers.size) return [];
    if (performance.now() - this.asked > AGAIN_MS) void this.ask();
    const { nodes, tasks, holds, stages } = this.known;
    return [
      ...(this.failed ? [h("li", { class: "feed quiet" }, this.failed)] : []), ...(stages.length ? [timingItem(stages)] : []),
      ...nodes.map((n) => nodeItem(n, this.store.nowMs, this.store.offers.has("tasks") ? this.orders.of(n) : null)), ...(tasks.length ? [taskItem(tasks)] : []), ...(holds.length ? [holdItem(holds)] : []),
    ];
  }

  /** When a feed was silent in the last hour, drawn and in words; null where it is not known. */
  gapsOf(feed: string): HTMLElement | null {
    const found = this.store.replaying ? undefined : this.gaps?.feeds.find((f) => f.feed === feed);
    return found ? gapLine(msOf(this.gaps!.since_ns), found.minutes) : null;
  }

  private async ask(): Promise<void> {
    this.asked = performance.now();
    if (this.store.offers.has("gaps")) {
      this.gaps = await ask<Gaps>("/v1/gaps").catch((error: Error) => {
        console.warn("gaps of feeds are not known:", error);
        return null;
      });
    }
    const list = async <K extends keyof Known>(name: K): Promise<Known[K]> =>
      this.store.offers.has(name) ? (await ask<Known>(`/v1/${name}`))[name] : ([] as unknown as Known[K]);
    try {
      const stages = this.store.offers.has("timing") ? (await ask<Known>("/v1/timing")).stages : [];
      const [nodes, tasks, holds] = await Promise.all([list("nodes"), list("tasks"), list("holds")]);
      this.known = { nodes, tasks, holds, stages };
      this.failed = "";
    } catch (error) {
      this.failed = `Nodes, tasks and holds cannot be told: ${(error as Error).message}`;
    }
    this.changed();
  }
}

function nodeItem(n: Node, nowMs: number, order: HTMLElement | null): HTMLElement {
  const well = n.state === "connected" && (n.system === "OK" || !n.system);
  const state = n.state !== "connected" ? "quiet" : well ? "fine" : "faults";
  const can = [...n.commands.map((c) => (c.units ? `${c.command} (${c.units})` : c.command)), ...(n.regions.length ? [`regions: ${n.regions.join(", ")}`] : [])];
  const told = item(state, n.name || n.node, `SAPIENT node, ${n.state}`, [
    ...(n.why ? [line("Because", n.why)] : []),
    line("Is", n.types.join(", ").toLowerCase().replaceAll("_", " ") || "does not say"), line("Node", n.node), line("Feed", n.feed),
    line("Says", `${n.system || "nothing yet"}${n.mode && `, mode ${n.mode}`}${n.remarks.length ? `: ${n.remarks.join("; ")}` : ""}`),
    line("Last status", n.status_ns === "0" ? "never" : `${duration((Math.max(nowMs, Date.now()) - msOf(n.status_ns)) / 1000)} ago`),
    line("Can be asked", can.join("; ") || "nothing"),
  ]);
  if (order) told.append(order);
  return told;
}

/** Runs of minutes that hold, as [first, last]. */
function runs(minutes: string, holds: (c: string) => boolean): [number, number][] {
  const found: [number, number][] = [];
  [...minutes].forEach((c, i) => {
    const last = found[found.length - 1];
    if (!holds(c)) return;
    if (last && last[1] === i - 1) last[1] = i;
    else found.push([i, i]);
  });
  return found;
}

function gapLine(sinceMs: number, minutes: string): HTMLElement {
  const at = (i: number): string => utc(sinceMs + 60_000 * i).slice(0, 5);
  const silent = runs(minutes, (c) => c === "-" || c === "~");
  const total = silent.reduce((n, [a, b]) => n + b - a + 1, 0);
  const looked = [...minutes].filter((c) => c !== ".").length;
  const spans = silent.slice(-4).map(([a, b]) => (a === b ? at(a) : `${at(a)} to ${at(b)}`)).join(", ");
  const words = !looked ? "not watched" : total ? `silent in ${total} of ${looked} minutes: ${silent.length > 4 ? "lately " : ""}${spans}` : `never silent in ${looked} minute${looked > 1 ? "s" : ""}`;
  const shape: Record<string, [string, number, number]> = { "+": ["heard", 7, 3], "-": ["silent", 0, 10], "~": ["silent", 4, 6], ".": ["no-look", 9, 1] };
  const bar = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${2 * minutes.length} 10`, class: "gaps", "aria-hidden": "true", preserveAspectRatio: "none" })) bar.setAttribute(name, value);
  bar.append(...[...minutes].map((c, i) => {
    const [name, y, height] = shape[c] ?? shape["."]!;
    const cell = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [key, value] of Object.entries({ class: name, x: 2 * i, y, width: c === "+" || c === "." ? 2 : 1.9, height })) cell.setAttribute(key, String(value));
    return cell;
  }));
  return line("Last hour", bar, words);
}

const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

/** Where the time goes from a sensor's message to the screen, over the last minute: 95 of 100 took at most so long. */
function timingItem(stages: Stretch[]): HTMLElement {
  const over = (s: Stretch): boolean => s.n > 0 && s.p95_ms > s.budget_ms;
  const total = stages[stages.length - 1]!;
  const what = total.n ? `${ms(total.p95_ms)} of ${ms(total.budget_ms)} ms to the screen` : "no page has drawn yet";
  return item(over(total) ? "faults" : "fine", "Where the time goes", what, stages.map((s) =>
    line(s.stage, s.n ? h("b", {}, `${ms(s.p95_ms)} ms`) : "nothing yet", ` of ${ms(s.budget_ms)}${over(s) ? ", over its budget" : ""}: ${s.meaning}`,
      s.n ? ` (half ${ms(s.p50_ms)}, longest ${ms(s.max_ms)})` : "")));
}

/** What was ordered, in words: its JSON without what stands beside it. */
function wantedOf(wanted: string): string {
  try {
    const { feed: _f, node: _n, name: _p, note: _w, task, ...rest } = JSON.parse(wanted) as Record<string, unknown>;
    const more = Object.entries(rest).map(([k, v]) => `${k.replaceAll("_", " ")} ${typeof v === "string" ? v : JSON.stringify(v)}`);
    return [String(task ?? "task"), ...more].join(", ");
  } catch {
    return wanted;
  }
}

function taskItem(tasks: Task[]): HTMLElement {
  const refused = tasks.some((t) => /reject|fail/i.test(t.state));
  const rows = tasks.slice(0, TASKS_MAX).map((t) => {
    const last = t.answers[t.answers.length - 1];
    return line(when(t.at_ns), h("b", {}, t.node), ` ${wantedOf(t.wanted)}, by ${t.name}${t.note && ` (${t.note})`}: `, h("b", {}, t.state.toLowerCase()), last?.reason ? `, ${last.reason}` : "");
  });
  const what = tasks.length > TASKS_MAX ? `newest ${TASKS_MAX} of ${tasks.length}` : String(tasks.length);
  return item(refused ? "faults" : "fine", "Tasks given to sensors", what, rows);
}

function holdItem(holds: Hold[]): HTMLElement {
  const standing = holds.filter((one) => one.stands).length;
  return item("fine", "Holds on the record", `${standing} standing`, holds.map((one) =>
    line(`Hold ${one.hold}`, h("b", {}, one.stands ? "stands" : "lifted"), ` ${when(one.since_ns)} to ${when(one.until_ns)}, by ${one.by}: ${one.why}`,
      one.stands ? "" : `; lifted ${when(one.lifted_ns)} by ${one.lifted_by}: ${one.lifted_why}`)));
}
