// Drawing a zone on the map, or changing one: points by click or by Enter at the cross, then a form. It becomes a new version
// of the site file; the server checks it. Only for who may manage (docs/site.md).

import { $, h, say } from "./dom";
import { ask } from "./evidence";
import { geodesic, type Point } from "./measure";
import type { Box } from "./remote";
import type { Store } from "./store";
import { faint, tint } from "./theme";
import { latitudeOf, longitudeOf, mercatorX, mercatorY, pixelX, pixelY, type Stage, type View } from "./view";

const NEAR_PX = 10;
const PRIORITIES = ["critical", "high", "medium", "low"];
interface Old { name: string; priority: string; low: number; high: number; circle: boolean; points: Point[] }

export class Sketch {
  on = false;
  points: Point[] = []; // of a circle: the centre, and a point of its edge
  private held = -1; // the point that the next click moves
  private mouse: Point | null = null;
  private readonly zone = h("select", { id: "sketch-zone", "aria-label": "Zone", change: () => this.begin() }) as HTMLSelectElement;
  private readonly shape = h("select", { id: "sketch-shape", "aria-label": "Shape", change: () => this.clear() },
    h("option", { value: "polygon" }, "Polygon"), h("option", { value: "circle" }, "Circle")) as HTMLSelectElement;
  private readonly text = h("span", { role: "status", id: "sketch-text" });
  private readonly dialog = $<HTMLDialogElement>("sketch-form");

  constructor(private readonly store: Store, private readonly stage: Stage) {
    $("sketch").addEventListener("click", () => this.toggle());
    const button = (id: string, words: string, act: () => void): HTMLElement => h("button", { type: "button", id, click: act }, words);
    $("sketching").append(this.zone, this.shape, this.text,
      button("sketch-undo", "Undo", () => this.undo()), button("sketch-done", "Done…", () => this.open()), button("sketch-off", "End", () => this.toggle(false)));
    $("map").addEventListener("pointermove", (event) => {
      if (!this.on) return;
      const box = $("map").getBoundingClientRect();
      this.mouse = this.at(event.clientX - box.left, event.clientY - box.top);
      this.tell();
    });
  }

  toggle(on = !this.on): void {
    if (on && $("sketch").hidden) return;
    this.on = on;
    this.mouse = null;
    $("sketch").setAttribute("aria-pressed", String(on));
    $("sketching").hidden = !on;
    $("stage").classList.toggle("measuring", on);
    if (on) {
      this.zone.replaceChildren(h("option", { value: "" }, "New zone"), ...this.old().map((z) => h("option", { value: z.name }, z.name)));
      this.begin();
      (document.activeElement as HTMLElement | null)?.blur(); // so that Enter sets a point
    }
    this.stage.redraw();
  }

  private old(): Old[] {
    return (this.store.site?.features ?? []).flatMap(({ properties: p, geometry }) => {
      if (p?.["kind"] !== "zone" || geometry.type !== "Polygon") return [];
      const ring = geometry.coordinates[0]!.slice(0, -1).map(([longitude, latitude]) => ({ latitude: latitude!, longitude: longitude! }));
      const circle = p["shape"] === "circle";
      const mean = (of: (q: Point) => number): number => ring.reduce((sum, q) => sum + of(q), 0) / ring.length;
      const points = circle ? [{ latitude: mean((q) => q.latitude), longitude: mean((q) => q.longitude) }, ring[Math.floor(ring.length / 4)]!] : ring;
      return [{ name: String(p["name"]), priority: String(p["priority"]), low: Number(p["height_m_min"]), high: Number(p["height_m_max"]), circle, points }];
    });
  }
  private begin(): void {
    const chosen = this.old().find((z) => z.name === this.zone.value);
    if (chosen) this.shape.value = chosen.circle ? "circle" : "polygon";
    this.clear(chosen?.points ?? []);
  }
  private clear(points: Point[] = []): void {
    this.points = [...points];
    this.held = -1;
    this.tell();
  }
  private undo(): void {
    if (this.held >= 0) this.held = -1;
    else this.points.pop();
    this.tell();
  }

  /** A click; whether it was for drawing. */
  click(x: number, y: number): boolean {
    if (this.on) this.set(this.at(x, y), this.held < 0 ? this.near(x, y) : -1);
    return this.on;
  }
  /** A point where the cross is: the middle of the map. */
  enter(): void {
    const view = this.stage.view();
    this.mouse = null;
    if (this.on) this.set(this.stage.centre, this.held < 0 ? this.near(view.width / 2, view.height / 2) : -1);
  }
  private set(point: Point, taken: number): void {
    const full = this.shape.value === "circle" && this.points.length === 2;
    if (taken >= 0) this.held = taken;
    else if (this.held >= 0) {
      this.points[this.held] = point;
      this.held = -1;
    } else if (full) this.points[1] = point;
    else this.points.push(point);
    this.tell();
  }
  private near(x: number, y: number): number {
    const view = this.stage.view();
    return this.points.findIndex((p) => Math.hypot(pixelX(view, mercatorX(p.longitude)) - x, pixelY(view, mercatorY(p.latitude)) - y) <= NEAR_PX);
  }
  private at(x: number, y: number): Point {
    const view = this.stage.view();
    return { latitude: latitudeOf(view.y + (y - view.height / 2) / view.worldPx), longitude: longitudeOf(view.x + (x - view.width / 2) / view.worldPx) };
  }

  private get radius(): number {
    const [a, b] = this.points;
    return a && b ? (geodesic(a, b)?.metres ?? 0) : 0;
  }
  private get whole(): boolean {
    return this.shape.value === "circle" ? this.radius > 0 : this.points.length >= 3;
  }
  private tell(): void {
    const n = this.points.length;
    const circle = this.shape.value === "circle";
    const next = circle ? (n ? "set a point of the edge" : "set the centre") : n < 3 ? `set ${n ? "the next" : "the first"} corner` : `${n} corners; more, or Done`;
    say(this.text, this.held >= 0 ? "set where it goes" : circle && n === 2 ? `radius ${this.radius.toFixed(0)} m; click a point to move it` : next);
    $<HTMLButtonElement>("sketch-done").disabled = !this.whole;
    this.stage.redraw();
  }

  private open(): void {
    const old = this.old().find((z) => z.name === this.zone.value);
    const input = (id: string, value: string | number, more: Record<string, string | number | boolean> = {}): HTMLInputElement => h("input", { id, value, ...more }) as HTMLInputElement;
    const name = input("zone-name", old?.name ?? "", { maxlength: 64, required: true });
    const priority = h("select", { id: "zone-priority" }, PRIORITIES.map((p) => h("option", { value: p, selected: p === (old?.priority ?? "high") }, p))) as HTMLSelectElement;
    const low = input("zone-low", old?.low ?? 0, { type: "number", step: "any", required: true });
    const high = input("zone-high", old?.high ?? 1000, { type: "number", step: "any", required: true });
    const note = input("zone-note", "", { maxlength: 1000 });
    const told = h("p", { role: "status", id: "zone-told" });
    const row = (text: string, field: HTMLElement): HTMLElement => h("p", {}, h("label", { for: field.id }, text), field);
    const send = (zone: object | null): void => void this.keep({ replaces: old?.name ?? "", ...(zone && { zone }), note: note.value }, told);
    const submit = (event: Event): void => {
      event.preventDefault();
      send({ name: name.value, priority: priority.value, height_m: [Number(low.value), Number(high.value)], ...this.asInFile() });
    };
    this.dialog.replaceChildren(
      h("h2", { id: "sketch-title" }, old ? `Zone ${old.name}` : "New zone"),
      h("form", { method: "dialog", submit },
        row("Name", name), row("Priority", priority), row("From height, m", low), row("to height, m", high), row("Why", note),
        h("p", { class: "quiet" }, "Heights above the ellipsoid. It counts when the site is started again (Site file, at the top); that begins a new journal."),
        h("button", { type: "submit" }, "Keep as a version"), " ",
        old && h("button", { type: "button", click: () => send(null) }, "Take this zone out"), " ",
        h("button", { type: "button", click: () => this.dialog.close() }, "Close")),
      told);
    this.dialog.showModal();
    name.focus();
  }
  private asInFile(): object {
    const [a] = this.points;
    const short = (v: number): number => Number(v.toFixed(6));
    if (this.shape.value === "circle") return { circle: { latitude_deg: short(a!.latitude), longitude_deg: short(a!.longitude), radius_m: Number(this.radius.toFixed(1)) } };
    return { polygon: this.points.map((p) => [short(p.latitude), short(p.longitude)]) };
  }
  private async keep(wanted: object, told: HTMLElement): Promise<void> {
    try {
      const { now } = await ask<{ now: { version: number } }>("/v1/config");
      const answer = await fetch("/v1/config/zone", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ begun_from: now.version, ...wanted }) });
      const made = (await answer.json()) as { version?: number; error?: string };
      if (!answer.ok) throw new Error(made.error ?? `the server answered ${answer.status}`);
      told.className = "";
      told.replaceChildren(`Kept as version ${made.version}. It counts when the site is started again: `, h("a", { href: "/config.html" }, "Site file"), ".");
    } catch (error) {
      told.className = "bad";
      say(told, `NOT kept: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  hit(): string {
    return "";
  }
  draw(ink: CanvasRenderingContext2D, view: View): Box[] {
    if (!this.on) return [];
    const to = (p: Point): [number, number] => [pixelX(view, mercatorX(p.longitude)), pixelY(view, mercatorY(p.latitude))];
    const points = this.points.map((p, i) => to(i === this.held && this.mouse ? this.mouse : p));
    ink.lineJoin = "round";
    ink.fillStyle = faint(tint["mark-chosen"], 0.15);
    ink.beginPath();
    if (this.shape.value === "circle" && points.length === 2) ink.arc(...points[0]!, Math.hypot(points[1]![0] - points[0]![0], points[1]![1] - points[0]![1]), 0, 2 * Math.PI);
    else {
      points.forEach((p) => ink.lineTo(...p));
      ink.closePath();
    }
    ink.fill();
    for (const [x, y] of points) {
      ink.moveTo(x + 5, y);
      ink.arc(x, y, 5, 0, 2 * Math.PI);
    }
    if (!this.mouse) {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
        ink.moveTo(view.width / 2 + 4 * dx, view.height / 2 + 4 * dy);
        ink.lineTo(view.width / 2 + 14 * dx, view.height / 2 + 14 * dy);
      }
    }
    for (const [width, colour] of [[5, faint(tint["mark-halo"], 0.8)], [2, tint["mark-chosen"]]] as const) {
      ink.strokeStyle = colour;
      ink.lineWidth = width;
      ink.stroke();
    }
    return [];
  }
}
