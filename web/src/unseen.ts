// What could be here unseen: a layer of expected numbers of undetected small drones, and the number per zone.

import { $, say } from "./dom";
import type { Store } from "./store";

const AGAIN_MS = 5_000;
const LEAST = 0.03; // of what a cell holds where nobody looks: less is not drawn

interface Answer {
  unseen: { cell_m: number; latitude_deg: number[]; longitude_deg: number[]; unwatched: number; expected: number[][]; zones: Record<string, number> } | null;
}

const number = (n: number): string => (n >= 0.095 ? n.toFixed(1) : n >= 0.0095 ? n.toFixed(2) : n >= 0.00095 ? n.toFixed(3) : "under 0.001");

export class Unseen {
  private asked = -Infinity;

  constructor(private readonly store: Store) {
    store.on("layers", () => this.show());
    store.on("mode", () => { this.asked = -Infinity; this.show(); });
    store.on("picture", () => { if (store.shows("unseen") && performance.now() - this.asked > AGAIN_MS) void this.ask(); });
    this.show();
  }

  private show(): void {
    $("unseen").hidden = !this.store.shows("unseen");
    if (this.store.shows("unseen")) void this.ask();
  }

  private async ask(): Promise<void> {
    this.asked = performance.now();
    if (this.store.replaying) {
      this.draw({ unseen: null }, "What could be here unseen is known live only, not in a replay.");
      return;
    }
    try {
      const reply = await fetch("/v1/unseen");
      if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
      this.draw((await reply.json()) as Answer, "No sensor of this site looks for targets: there is no map.");
    } catch (error) {
      say($("unseen-told"), `No map: ${(error as Error).message}`);
    }
  }

  private draw({ unseen }: Answer, without: string): void {
    const features: GeoJSON.Feature[] = [];
    unseen?.expected.forEach((row, y) => row.forEach((n, x) => {
      const ratio = n / unseen.unwatched;
      if (ratio < LEAST) return;
      const [w, e, s, t] = [unseen.longitude_deg[x]!, unseen.longitude_deg[x + 1]!, unseen.latitude_deg[y]!, unseen.latitude_deg[y + 1]!];
      features.push({ type: "Feature", properties: { ratio: Math.min(ratio, 3) }, geometry: { type: "Polygon", coordinates: [[[w, s], [e, s], [e, t], [w, t], [w, s]]] } });
    }));
    this.store.unseen = features;
    this.store.emit("unseen");
    const zones = Object.entries(unseen?.zones ?? {}).map(([name, n]) => `${name} ${number(n)}`);
    say($("unseen-told"), unseen ? `Small drones that could be here unseen (expected number): ${zones.join(", ") || "no zones"}. Stronger colour: less watched, or a track was lost there.` : without);
  }
}
