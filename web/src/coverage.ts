// How far each sensor can see (predicted, dashed) and did see (measured, solid): a layer with period and height band, and
// a table of the same.

import { $, h, say } from "./dom";
import type { Store } from "./store";

const AGAIN_MS = 30_000;
const HUES = 3; // colours that take turns
export const PERIODS: Record<string, [string, number]> = { "1h": ["last hour", 3600], "24h": ["last 24 hours", 86_400], "7d": ["last 7 days", 604_800], "31d": ["last 31 days", 2_678_400] };
export const BANDS: Record<string, string> = { all: "all heights", low: "under 150 m", middle: "150 to 500 m", high: "500 to 3,000 m", top: "over 3,000 m" };

interface Row {
  name: string; kind: string; predicted_m: number; predicted: [number, number][]; farthest_m: (number | null)[]; measured: [number, number][] | null; heights_unknown: boolean;
}
interface Answer { sector_deg: number; band: string; sensors: Row[] }

const km = (m: number): string => (m < 9950 ? (m / 1000).toFixed(1) : String(Math.round(m / 1000)));

/** "24h,low" of the address; what is not known is as by default. */
export function readCoverage(text: string): { period: string; band: string } {
  const [period = "", band = ""] = text.split(",");
  return { period: period in PERIODS ? period : "24h", band: band in BANDS ? band : "all" };
}

export class Coverage {
  private asked = -Infinity;
  private readonly period = $<HTMLSelectElement>("coverage-period");
  private readonly band = $<HTMLSelectElement>("coverage-band");

  constructor(private readonly store: Store, wish: string, changed: () => void) {
    const wanted = readCoverage(wish);
    this.period.append(...Object.entries(PERIODS).map(([value, [name]]) => h("option", { value, selected: value === wanted.period }, name)));
    this.band.append(...Object.entries(BANDS).map(([value, name]) => h("option", { value, selected: value === wanted.band }, name)));
    for (const select of [this.period, this.band]) {
      select.addEventListener("change", () => {
        void this.ask();
        changed();
      });
    }
    store.on("layers", () => this.show());
    store.on("mode", () => { this.asked = -Infinity; });
    store.on("picture", () => { if (store.shows("coverage") && performance.now() - this.asked > AGAIN_MS) void this.ask(); });
    this.show();
  }

  /** What an address says. */
  follow(words: string): void {
    const { period, band } = readCoverage(words);
    if (this.words === `${period},${band}`) return;
    [this.period.value, this.band.value] = [period, band];
    if (this.store.shows("coverage")) void this.ask();
  }
  /** As in the address. */
  get words(): string {
    return `${this.period.value},${this.band.value}`;
  }

  private show(): void {
    const shown = this.store.shows("coverage");
    if (shown && $("coverage").hidden) void this.ask();
    $("coverage").hidden = !shown;
  }

  private async ask(): Promise<void> {
    this.asked = performance.now();
    const words = new URLSearchParams({ band: this.band.value });
    const until = this.store.nowMs;
    if (until) {
      const ns = BigInt(Math.ceil(until)) * 1_000_000n;
      const since = ns - BigInt(PERIODS[this.period.value]![1]) * 1_000_000_000n;
      words.set("since_ns", String(since > 0n ? since : 0n));
      words.set("until_ns", String(ns));
    }
    try {
      const reply = await fetch(`/v1/coverage?${words}`);
      if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
      this.draw((await reply.json()) as Answer);
    } catch (error) {
      say($("coverage-told"), `No coverage: ${(error as Error).message}`);
    }
  }

  private draw({ sensors, sector_deg, band }: Answer): void {
    const ring = (row: Row, hue: number, kind: string, points: [number, number][]): GeoJSON.Feature =>
      ({ type: "Feature", properties: { kind, hue: hue % HUES, label: row.name }, geometry: { type: "Polygon", coordinates: [points] } });
    this.store.coverage = sensors.flatMap((row, k) => [ring(row, k, "predicted", row.predicted), ...(row.measured ? [ring(row, k, "measured", row.measured)] : [])]);
    this.store.emit("coverage");
    say($("coverage-told"), sensors.length
      ? "Solid: the farthest that was really seen, by sector of 5°. Dashed: stated range, cut at the horizon of a smooth earth; no terrain."
      : "This site says of no sensor or receiver where it stands.");
    const vague = band !== "all" && sensors.some((s) => s.heights_unknown);
    $("coverage-vague").hidden = !vague;
    $("coverage-rows").replaceChildren(...sensors.map((row, k) => this.row(row, k, sector_deg)));
  }

  private row(row: Row, k: number, step: number): HTMLTableRowElement {
    const seen = row.farthest_m.flatMap((m, sector) => (m === null ? [] : [[m, sector] as const]));
    const [far, at] = seen.reduce((best, one) => (one[0] > best[0] ? one : best), [0, 0] as readonly [number, number]);
    const toward = `${String(Math.round((at + 0.5) * step)).padStart(3, "0")}°`;
    return h("tr", {}, h("th", { scope: "row" }, h("i", { class: `hue hue-${k % HUES}`, "aria-hidden": "true" }), row.name),
      h("td", {}, seen.length ? `${km(far)} km` : "nothing"), h("td", {}, seen.length ? toward : ""), h("td", {}, `${seen.length}/${row.farthest_m.length}`), h("td", {}, `${km(row.predicted_m)} km`));
  }
}
