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
const KINDS = ["multirotor", "fixed_wing_drone", "bird", "aircraft", "helicopter", "ship", "ground", "unknown"];
type KindMin = Record<string, number>;
interface Old { name: string; priority: string; low: number; high: number; radius: number; kindMin: KindMin; points: Point[] }

export class Sketch {
  on = false;
  points: Point[] = []; // of a circle: the centre, and a point of its edge
  private held = -1; // the point that the next click moves
  private exact = 0; // radius of a circle as the file says it, until its edge is moved
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
      const [latitude, longitude] = (p["centre"] ?? []) as number[];
      const points = p["shape"] === "circle" ? [{ latitude: latitude!, longitude: longitude! }, ring[Math.floor(ring.length / 4)]!] : ring;
      const [low, high, radius] = [Number(p["height_m_min"]), Number(p["height_m_max"]), Number(p["radius_m"] ?? 0)];
      return [{ name: String(p["name"]), priority: String(p["priority"]), low, high, radius, kindMin: (p["kind_min"] ?? {}) as KindMin, points }];
    });
  }
  private begin(): void {
    const chosen = this.old().find((z) => z.name === this.zone.value);
    if (chosen) this.shape.value = chosen.radius ? "circle" : "polygon";
    this.clear(chosen?.points ?? []);
    this.exact = chosen?.radius ?? 0;
    this.tell();
  }
  private clear(points: Point[] = []): void {
    this.points = [...points];
    this.held = -1;
    this.exact = 0;
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
    else {
      const at = this.held >= 0 ? this.held : full ? 1 : this.points.length;
      this.points = this.moved(at, point);
      if (at > 0) this.exact = 0;
      this.held = -1;
    }
    this.tell();
  }
  /** The points when one of them is elsewhere: the edge of a circle goes along with its middle. */
  private moved(at: number, to: Point): Point[] {
    const points = [...this.points];
    const [middle, edge] = points;
    if (this.shape.value === "circle" && at === 0 && middle && edge) {
      const stretch = Math.cos((middle.latitude * Math.PI) / 180) / Math.cos((to.latitude * Math.PI) / 180);
      points[1] = { latitude: edge.latitude + to.latitude - middle.latitude, longitude: to.longitude + (edge.longitude - middle.longitude) * stretch };
    }
    points[at] = to;
    return points;
  }
  /** The points as they would be if the next click were where the mouse is. */
  private get shown(): Point[] {
    if (!this.mouse) return this.points;
    if (this.held >= 0) return this.moved(this.held, this.mouse);
    return this.shape.value === "circle" && this.points.length === 1 ? [this.points[0]!, this.mouse] : this.points;
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
    const [a, b] = this.shown;
    return this.exact || (a && b ? (geodesic(a, b)?.metres ?? 0) : 0);
  }
  private get whole(): boolean {
    return this.shape.value === "circle" || this.points.length >= 3; // a circle can be typed, too
  }
  private tell(): void {
    const n = this.points.length;
    const circle = this.shape.value === "circle";
    const next = circle ? (n ? `set a point of the edge${this.radius ? `: radius ${this.radius.toFixed(0)} m` : ""}` : "set the centre, or Done to type it") : n < 3 ? `set ${n ? "the next" : "the first"} corner` : `${n} corners; more, or Done`;
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
    const kinds = KINDS.map((k) => input(`zone-kind-${k}`, old?.kindMin[k] === undefined ? "" : Number((100 * old.kindMin[k]).toFixed(4)), { type: "number", min: 1, max: 100, step: "any" }));
    const circle = this.shape.value === "circle" ? this.circleFields(input) : null;
    const send = (zone: object | null): void => void this.keep({ replaces: old?.name ?? "", ...(zone && { zone }), note: note.value }, told);
    const submit = (event: Event): void => {
      event.preventDefault();
      const kind_min = Object.fromEntries(KINDS.flatMap((k, i) => (kinds[i]!.value ? [[k, Number(kinds[i]!.value) / 100]] : [])));
      send({ name: name.value, priority: priority.value, height_m: [Number(low.value), Number(high.value)], kind_min, ...this.asInFile(circle) });
    };
    this.dialog.replaceChildren(
      h("h2", { id: "sketch-title" }, old ? `Zone ${old.name}` : "New zone"),
      h("form", { method: "dialog", submit },
        row("Name", name), row("Priority", priority), row("From height, m", low), row("to height, m", high),
        circle && [row("Middle, latitude", circle[0]), row("Middle, longitude", circle[1]), row("Radius, m", circle[2])],
        h("details", { open: Object.keys(old?.kindMin ?? {}).length > 0 }, h("summary", {}, "How sure, by kind"),
          h("p", { class: "quiet" }, "How probable a kind must be (%) before a track gets an alarm of its own. Nothing anywhere: all but birds and ground traffic, as docs/alarms.md says. A kind left empty beside others that are not: none of its own."),
          KINDS.map((k, i) => row(k.replaceAll("_", " "), kinds[i]!))),
        row("Why", note),
        h("p", { class: "quiet" }, "Heights above the ellipsoid. It counts when the site is started again (Site file, at the top); that begins a new journal."),
        h("button", { type: "submit" }, "Keep as a version"), " ",
        old && h("button", { type: "button", click: () => send(null) }, "Take this zone out"), " ",
        h("button", { type: "button", click: () => this.dialog.close() }, "Close")),
      told);
    this.dialog.showModal();
    name.focus();
  }
  /** Latitude, longitude and radius of a circle, to be typed; as drawn, else around the middle of the map. */
  private circleFields(input: (id: string, value: string | number, more: Record<string, string | number | boolean>) => HTMLInputElement): [HTMLInputElement, HTMLInputElement, HTMLInputElement] {
    this.mouse = null;
    const middle = this.points[0] ?? this.stage.centre;
    const field = (id: string, value: string, min: number, max: number): HTMLInputElement => input(id, value, { type: "number", step: "any", required: true, min, max });
    return [field("zone-latitude", middle.latitude.toFixed(6), -90, 90), field("zone-longitude", middle.longitude.toFixed(6), -180, 180),
      field("zone-radius", this.radius ? this.radius.toFixed(1) : "", 0.1, 1e6)];
  }
  private asInFile(circle: HTMLInputElement[] | null): object {
    const short = (v: number): number => Number(v.toFixed(6));
    if (circle) {
      const [latitude_deg, longitude_deg, radius_m] = circle.map((f) => Number(f.value));
      return { circle: { latitude_deg, longitude_deg, radius_m } };
    }
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
    const points = this.shown.map(to);
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
