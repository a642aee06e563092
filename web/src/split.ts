// The live picture beside the past one, while a replay is shown: a second map of the same place, with its own banner and the
// alarms that stand now. It looks only; what is done, is done in the one seat.

import { $, h, say } from "./dom";
import { Labels } from "./labels";
import { Lines } from "./lines";
import type { Link } from "./link";
import { build } from "./marks";
import { Remote } from "./remote";
import type { Store } from "./store";
import type { Stage } from "./view";
import { duration, utc } from "./words";
import type { Marks } from "./marks";

const ALARMS_MAX = 4;
export type Drawn = Stage & { take(marks: Marks): void };

export class Split {
  on = false;
  private stage: Drawn | null = null;
  private labels: Labels | null = null;
  private readonly lines = new Lines();
  private at = ""; // the view that both show

  constructor(
    private readonly store: Store, private readonly live: Store, private readonly link: Link, private readonly main: Drawn,
    private readonly open: (store: Store, box: HTMLElement) => Drawn, private readonly still: boolean, private readonly changed: () => void,
  ) {
    $("split").addEventListener("click", () => this.toggle());
    live.on("picture", () => this.draw());
    live.on("alarms", () => this.alarms());
    live.on("link", () => this.told());
    store.on("mode", () => { if (!store.replaying) this.toggle(false); });
    store.on("select", () => this.share());
    store.on("layers", () => this.share());
    store.on("theme", () => { live.emit("theme"); this.share(); });
    main.onFrame(() => this.follow(main, this.stage));
  }

  toggle(on = !this.on): void {
    if (on === this.on || (on && !this.store.replaying)) return;
    this.on = this.link.beside = on;
    $("beside").hidden = !on;
    document.body.toggleAttribute("data-split", on);
    $("split").setAttribute("aria-pressed", String(on));
    if (on) {
      this.stage ??= this.begin();
      this.at = "";
      this.share();
      this.link.again(); // everything is told anew
    } else {
      this.live.picture = null;
      this.live.trails.of.clear();
    }
    this.changed();
  }
  /** Zoom, latitude and longitude of both, rounded. */
  views(): Record<string, number[]> {
    const of = (stage: Drawn): number[] => [stage.zoom, stage.centre.latitude, stage.centre.longitude].map((v) => Number(v.toFixed(3)));
    return { main: of(this.main), beside: this.stage ? of(this.stage) : [] };
  }
  redraw(): void {
    if (this.on) this.stage?.redraw();
  }

  private begin(): Drawn {
    const stage = this.open(this.live, $("beside-map"));
    this.labels = new Labels(this.live, stage, $<HTMLCanvasElement>("beside-labels"), [new Remote(this.live, this.still)], this.still);
    stage.onFrame(() => this.follow(stage, this.main));
    stage.onClick((x, y) => this.store.select(this.labels!.hit(x, y)));
    return stage;
  }

  /** Where one of the two was moved to, the other goes. */
  private follow(from: Drawn, to: Drawn | null): void {
    if (!this.on || !to) return;
    const { latitude, longitude } = from.centre;
    const view = `${from.zoom.toFixed(4)}/${latitude.toFixed(6)}/${longitude.toFixed(6)}`;
    if (this.at === "" && from !== this.main) return; // the first view is the main one's
    if (view === this.at) return;
    this.at = view;
    to.jumpTo(latitude, longitude, from.zoom);
  }

  private share(): void {
    if (!this.on) return;
    this.live.hidden.clear();
    for (const layer of this.store.hidden) this.live.hidden.add(layer);
    this.live.selected = this.store.selected;
    this.live.emit("layers");
    this.draw();
  }

  private draw(): void {
    if (!this.on || !this.stage || document.hidden) return;
    const marks = build(this.live, this.lines);
    this.labels!.take(marks);
    this.stage.take(marks);
    this.told();
  }

  private told(): void {
    if (!this.on) return;
    const { picture, link } = this.live;
    const old = link === "lost" ? "disconnected" : link === "stale" ? `stale ${duration(this.link.silentS)}` : picture ? "" : "connecting";
    $("beside").dataset["state"] = old ? "old" : "live";
    say($("beside-time"), picture ? `${utc(picture.timeMs)} UTC` : "");
    say($("beside-state"), old);
  }

  private alarms(): void {
    if (!this.on) return;
    const waiting = this.live.waiting();
    const rows = waiting.slice(0, ALARMS_MAX).map((a) =>
      h("li", { "data-priority": a.priority }, h("b", {}, a.priority.toUpperCase()), ` ${a.rule}${a.zone ? `, ${a.zone}` : ""}`));
    if (waiting.length > ALARMS_MAX) rows.push(h("li", {}, `and ${waiting.length - ALARMS_MAX} more`));
    $("beside-alarms").replaceChildren(...(rows.length ? rows : [h("li", {}, "no alarm waits")]));
  }
}
