// GNSS by cell and ten minutes: a layer with a time slider, counts, legend, and who was affected with the evidence.

import { $, drawing, h, say } from "./dom";
import type { Store } from "./store";
import { duration, utc } from "./words";

const AGAIN_MS = 60_000;
const PAST_MS = 10_800_000;
const ROWS_MAX = 100;
export const SHADES = [["under 2 % affected", "low"], ["2 to 10 %", "some"], ["10 % or more", "many"], ["not enough aircraft or ships", "few"]] as const; // meaning, class of a share

interface Answer {
  bin_s: number;
  cells: { start_ns: string[]; hex: string[]; good: number[]; bad: number[]; enough: boolean[]; share: (number | null)[]; share_low: (number | null)[]; share_high: (number | null)[] };
  rings: Record<string, [number, number][]>;
  affected: { start_ns: string; kind: string; address: number; hex: string; since_ns: string; reason: string }[];
  affected_left_out: number;
}

const shadeOf = (share: number | null): string => (share === null ? "few" : share < 0.02 ? "low" : share < 0.1 ? "some" : "many");
const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const msOf = (ns: string): number => Number(BigInt(ns) / 1_000_000n);
const nameOf = (kind: string, address: number): string => (kind === "aircraft" ? address.toString(16).toUpperCase().padStart(6, "0") : `${kind} ${address}`);

export class Cells {
  private answer: Answer | null = null;
  private starts: string[] = [];
  private asked = -Infinity;

  constructor(private readonly store: Store) {
    $("times").append(...SHADES.map(([meaning, name]) => h("span", { class: "shade" }, drawing([{ d: "M5 5h14v14H5z", fill: `var(--cell-${name})` }]), meaning)));
    $("time").addEventListener("input", () => this.draw());
    store.on("layers", () => this.show());
    store.on("mode", () => { this.asked = -Infinity; });
    store.on("picture", () => { if (store.shows("cells") && performance.now() - this.asked > AGAIN_MS) void this.ask(); });
    this.show();
  }

  private show(): void {
    $("cells").hidden = !this.store.shows("cells");
    if (this.store.shows("cells") && !this.answer) void this.ask();
  }

  private async ask(): Promise<void> {
    this.asked = performance.now();
    try {
      const until = this.store.replaying ? Math.ceil(this.store.nowMs) : 0;
      const reply = await fetch(until ? `/v1/cells?since_ns=${BigInt(until - PAST_MS) * 1_000_000n}&until_ns=${BigInt(until) * 1_000_000n}` : "/v1/cells");
      if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
      this.answer = (await reply.json()) as Answer;
    } catch (error) {
      say($("cells-told"), `No cells: ${(error as Error).message}`);
      return;
    }
    const slider = $<HTMLInputElement>("time");
    const newest = this.starts.length === 0 || Number(slider.value) === this.starts.length - 1;
    const chosen = this.starts[Number(slider.value)];
    this.starts = [...new Set(this.answer.cells.start_ns)];
    slider.max = String(Math.max(this.starts.length - 1, 0));
    slider.value = newest ? slider.max : String(Math.max(this.starts.indexOf(chosen ?? ""), 0));
    this.draw();
  }

  private draw(): void {
    const { answer } = this;
    const start = this.starts[Number($<HTMLInputElement>("time").value)];
    if (!answer || start === undefined) {
      say($("cells-told"), "No cell has been seen yet.");
      return;
    }
    const { cells } = answer;
    const rows = cells.start_ns.flatMap((s, i) => (s === start ? [i] : []));
    this.store.cells = rows.map((i): GeoJSON.Feature => ({
      type: "Feature", properties: { shade: shadeOf(cells.share[i]!), label: this.labelOf(i) }, geometry: { type: "Polygon", coordinates: [answer.rings[cells.hex[i]!]!] },
    }));
    this.store.emit("cells");
    const sum = (column: number[]): number => rows.reduce((n, i) => n + column[i]!, 0);
    const few = rows.filter((i) => !cells.enough[i]).length;
    const ms = msOf(start);
    say($("cells-told"), `${utc(ms).slice(0, 5)} to ${utc(ms + 1000 * answer.bin_s).slice(0, 5)} UTC: ${sum(cells.bad)} of ${sum(cells.good) + sum(cells.bad)} affected in ${rows.length} cells${few ? `, ${few} with too few to say` : ""}`);
    $<HTMLInputElement>("time").setAttribute("aria-valuetext", $("cells-told").textContent ?? "");
    this.list(answer, start, ms + 1000 * answer.bin_s);
  }

  private labelOf(i: number): string {
    const { cells } = this.answer!;
    const all = cells.good[i]! + cells.bad[i]!;
    if (!cells.enough[i]) return `${cells.bad[i]}/${all}\ntoo few`;
    return `${cells.bad[i]}/${all}\n${percent(cells.share_low[i]!)} to ${percent(cells.share_high[i]!)}`;
  }

  private list(answer: Answer, start: string, endMs: number): void {
    const hit = answer.affected.filter((a) => a.start_ns === start);
    const rows = hit.slice(0, ROWS_MAX).map((a) =>
      h("li", {}, h("b", {}, nameOf(a.kind, a.address)), ` ${a.reason}, for ${duration(Math.max((endMs - msOf(a.since_ns)) / 1000, 0))}`));
    if (hit.length > ROWS_MAX) rows.push(h("li", {}, `and ${hit.length - ROWS_MAX} more`));
    if (answer.affected_left_out) rows.push(h("li", {}, `the server left out ${answer.affected_left_out} older ones`));
    say($("affected-count"), String(hit.length));
    $("affected-list").replaceChildren(...rows);
  }
}
