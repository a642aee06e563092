// The scope: the same picture on a plain 2D canvas where WebGL2 is missing. No coast, but zones, symbols and labels.

import { Flag, Shape, colourOf, runAhead, type Marks } from "./marks";
import { symbolPx } from "./layer";
import { drawCell } from "./symbols";
import { outlines, planLayer } from "./plans";
import type { PlanLayer, Store } from "./store";
import { tint } from "./theme";
import { latitudeOf, longitudeOf, mercatorX, mercatorY, pixelX, pixelY, unitsPerMetre, type Stage, type View } from "./view";

export class ScopeStage implements Stage {
  private readonly canvas = document.createElement("canvas");
  private readonly frames: (() => void)[] = [];
  private marks: Marks | null = null;
  private size = { width: 0, height: 0 }; // kept: to ask for it makes the browser lay out the page
  private asked = false;
  drawMs = 0;
  private plans: { layer: PlanLayer; lines: [number, number][][] }[] = [];
  private x: number;
  private y: number;
  zoom: number;

  constructor(private readonly store: Store, private readonly box: HTMLElement, start: { latitude: number; longitude: number; zoom: number }, private readonly still: boolean) {
    [this.x, this.y, this.zoom] = [mercatorX(start.longitude), mercatorY(start.latitude), start.zoom];
    this.measure();
    this.canvas.className = "scope";
    box.replaceChildren(this.canvas);
    new ResizeObserver(() => {
      this.measure();
      this.redraw();
    }).observe(box);
    let drag: { x: number; y: number } | null = null;
    box.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY }; });
    addEventListener("pointerup", () => { drag = null; });
    addEventListener("pointermove", (e) => {
      if (!drag) return;
      this.panBy(drag.x - e.clientX, drag.y - e.clientY);
      drag = { x: e.clientX, y: e.clientY };
    });
    box.addEventListener("wheel", (e) => { e.preventDefault(); this.zoomBy(-Math.sign(e.deltaY) * 0.25); }, { passive: false });
    store.on("site", () => this.redraw());
    store.on("plans", () => void this.readPlans());
    for (const topic of ["alarms", "coverage"] as const) store.on(topic, () => this.redraw());
    store.on("layers", () => this.redraw());
  }

  private measure(): void {
    this.size = { width: this.box.clientWidth, height: this.box.clientHeight };
  }
  take(marks: Marks): void {
    this.marks = marks;
    this.redraw();
  }
  view(): View {
    return { x: this.x, y: this.y, worldPx: 512 * 2 ** this.zoom, ...this.size };
  }
  get centre(): { latitude: number; longitude: number } {
    return { latitude: latitudeOf(this.y), longitude: longitudeOf(this.x) };
  }
  flyTo(latitude: number, longitude: number, zoom = Math.max(this.zoom, 11)): void {
    [this.x, this.y, this.zoom] = [mercatorX(longitude), mercatorY(latitude), zoom];
    this.redraw();
  }
  jumpTo(latitude: number, longitude: number, zoom: number): void {
    this.flyTo(latitude, longitude, zoom);
  }
  panBy(x: number, y: number): void {
    const { worldPx } = this.view();
    this.x += x / worldPx;
    this.y += y / worldPx;
    this.redraw();
  }
  zoomBy(steps: number): void {
    this.zoom = Math.max(1, Math.min(17, this.zoom + steps));
    this.redraw();
  }
  onFrame(then: () => void): void {
    this.frames.push(then);
  }
  onClick(then: (x: number, y: number) => void): void {
    this.box.addEventListener("click", (e) => {
      const box = this.box.getBoundingClientRect();
      then(e.clientX - box.left, e.clientY - box.top);
    });
  }
  redraw(): void {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const began = performance.now();
      this.draw();
      this.drawMs = 0.7 * this.drawMs + 0.3 * (performance.now() - began);
      this.frames.forEach((then) => then());
    });
  }

  private draw(): void {
    const view = this.view();
    const ratio = devicePixelRatio;
    if (this.canvas.width !== view.width * ratio || this.canvas.height !== view.height * ratio) {
      [this.canvas.width, this.canvas.height] = [view.width * ratio, view.height * ratio];
    }
    const ink = this.canvas.getContext("2d")!;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.fillStyle = tint["map-sea"];
    ink.fillRect(0, 0, view.width, view.height);
    this.drawPlans(ink, view);
    if (this.store.shows("coverage")) this.drawCoverage(ink, view);
    this.drawSite(ink, view);
    for (const r of this.store.shows("regions") ? this.store.regions : []) {
      ink.strokeStyle = tint["map-region"];
      ink.setLineDash([6, 6]);
      ink.beginPath();
      ink.arc(pixelX(view, mercatorX(r.longitude)), pixelY(view, mercatorY(r.latitude)), r.radius_m * unitsPerMetre(r.latitude) * view.worldPx, 0, 7);
      ink.stroke();
      ink.setLineDash([]);
    }
    if (this.marks) this.drawMarks(ink, view, this.marks);
  }

  private async readPlans(): Promise<void> {
    const read = this.store.plans.map(async (plan) => ({ layer: planLayer(plan), lines: await outlines(plan) }));
    const done = await Promise.allSettled(read);
    this.plans = done.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const one of done) if (one.status === "rejected") console.warn("plan:", one.reason);
    this.redraw();
  }

  private drawCoverage(ink: CanvasRenderingContext2D, view: View): void {
    for (const { geometry, properties } of this.store.coverage) {
      if (geometry.type !== "Polygon") continue;
      ink.strokeStyle = [tint["line-1"], tint["line-2"], tint["line-3"]][Number(properties?.["hue"])]!;
      ink.setLineDash(properties?.["kind"] === "predicted" ? [6, 5] : []);
      ink.beginPath();
      for (const [lon, lat] of geometry.coordinates[0]!) ink.lineTo(pixelX(view, mercatorX(lon!)), pixelY(view, mercatorY(lat!)));
      ink.stroke();
    }
    ink.setLineDash([]);
  }

  private drawPlans(ink: CanvasRenderingContext2D, view: View): void {
    ink.strokeStyle = tint["map-plan"];
    ink.lineWidth = 1.2;
    for (const { lines } of this.plans.filter(({ layer }) => this.store.shows(layer))) {
      ink.beginPath();
      for (const line of lines) line.forEach(([lon, lat], i) => ink[i ? "lineTo" : "moveTo"](pixelX(view, mercatorX(lon)), pixelY(view, mercatorY(lat))));
      ink.stroke();
    }
  }

  private drawSite(ink: CanvasRenderingContext2D, view: View): void {
    const alarmed = new Set(this.store.alarms.filter((a) => a.state !== "cleared").map((a) => a.zone));
    ink.font = "600 12px 'Open Sans', sans-serif";
    ink.textAlign = "center";
    for (const f of this.store.site?.features ?? []) {
      const name = String(f.properties?.["name"] ?? "");
      if (f.geometry.type === "Polygon" && this.store.shows("zones")) {
        const ring = f.geometry.coordinates[0]!.map(([lon, lat]) => [pixelX(view, mercatorX(lon!)), pixelY(view, mercatorY(lat!))] as const);
        ink.strokeStyle = ink.fillStyle = alarmed.has(name) ? tint["mark-alarm"] : tint["map-zone"];
        ink.lineWidth = alarmed.has(name) ? 2.6 : 1.5;
        ink.beginPath();
        ring.forEach(([x, y]) => ink.lineTo(x, y));
        ink.stroke();
        const top = ring.reduce((best, p) => (p[1] < best[1] ? p : best));
        ink.fillText(name, top[0], top[1] - 10);
      } else if (f.geometry.type === "Point" && this.store.shows("sensors")) {
        const [x, y] = [pixelX(view, mercatorX(f.geometry.coordinates[0]!)), pixelY(view, mercatorY(f.geometry.coordinates[1]!))];
        const reach = ((f.properties?.["range_m_max"] as number | undefined) ?? 0) * unitsPerMetre(f.geometry.coordinates[1]!) * view.worldPx;
        ink.strokeStyle = tint["map-reach"];
        ink.lineWidth = 1;
        for (const part of reach ? [0.25, 0.5, 0.75, 1] : []) {
          ink.beginPath();
          ink.arc(x, y, reach * part, 0, 7);
          ink.stroke();
        }
        ink.strokeStyle = tint["map-site"];
        ink.strokeRect(x - 4, y - 4, 8, 8);
      }
    }
  }

  private drawMarks(ink: CanvasRenderingContext2D, view: View, marks: Marks): void {
    const ahead = runAhead(this.store, this.still);
    const size = symbolPx(view);
    ink.lineWidth = 1;
    const { lines } = marks;
    for (let v = 0; v + 1 < lines.n; v += 2) {
      ink.strokeStyle = lines.css(v);
      ink.beginPath();
      ink.moveTo(pixelX(view, lines.x(v)), pixelY(view, lines.y(v)));
      ink.lineTo(pixelX(view, lines.x(v + 1)), pixelY(view, lines.y(v + 1)));
      ink.stroke();
    }
    for (let i = 0; i < marks.n; i++) {
      const x = pixelX(view, marks.x[i]! + marks.vx[i]! * ahead);
      const y = pixelY(view, marks.y[i]! + marks.vy[i]! * ahead);
      if (x < -20 || y < -20 || x > view.width + 20 || y > view.height + 20) continue;
      ink.save();
      ink.translate(x, y);
      ink.strokeStyle = ink.fillStyle = colourOf(marks, i, marks.alpha[i]!);
      const major = marks.major[i]! * view.worldPx;
      if (this.store.shows("ellipses") && major > 5) {
        ink.beginPath();
        ink.ellipse(0, 0, major, Math.max(marks.minor[i]! * view.worldPx, 0.75), marks.turn[i]! - Math.PI / 2, 0, 7);
        ink.stroke();
      }
      ink.lineWidth = 1.8;
      symbol(ink, marks, i, size, drawCell(ink, marks, i, size, () => this.redraw()));
      ink.restore();
    }
  }
}

function symbol(ink: CanvasRenderingContext2D, marks: Marks, i: number, s: number, drawn: "" | "turned" | "framed"): void {
  const [shape, flags] = [marks.shape[i]!, marks.flags[i]!];
  const path = (points: readonly (readonly [number, number])[], closed = true): void => {
    ink.beginPath();
    points.forEach(([x, y]) => ink.lineTo(x * s, y * s));
    if (closed) ink.closePath();
  };
  ink.save();
  ink.rotate(marks.heading[i]!);
  if (drawn === "turned") ink.lineWidth = 1.8;
  else if (drawn === "framed") {
    path([[0, -1.5], [0, -2]], false); // the course
    ink.stroke();
  } else if (shape <= Shape.coasting) {
    path([[0, -0.95], [0.66, 0.68], [0, 0.38], [-0.66, 0.68]]);
    if (shape === Shape.dart) ink.fill();
    ink.stroke();
  } else if (shape === Shape.dot) {
    ink.beginPath();
    ink.arc(0, 0, 0.42 * s, 0, 7);
    ink.fill();
  } else {
    if (shape === Shape.aircraft) {
      ink.beginPath();
      ink.arc(0, 0, 0.55 * s, 0, 7);
    } else if (shape === Shape.ship) path([[0, -0.95], [0.5, 0], [0, 0.95], [-0.5, 0]]);
    else path([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]);
    ink.stroke();
    if (shape !== Shape.ship) {
      path([[0, -0.55], [0, -1.15]], false);
      ink.stroke();
    }
  }
  ink.restore();
  const state = flags & 7;
  if (state === Flag.degraded) {
    ink.setLineDash([4, 4]);
    ink.beginPath();
    ink.arc(0, 0, s, 0, 7);
    ink.stroke();
    ink.setLineDash([]);
  } else if (state === Flag.lost) {
    path([[-0.72, -0.72], [0.72, 0.72]], false);
    ink.stroke();
    path([[-0.72, 0.72], [0.72, -0.72]], false);
    ink.stroke();
  } else if (state === Flag.inconsistent) {
    path([[0, -1.2], [1.1, 0.75], [-1.1, 0.75]]);
    ink.stroke();
  }
  if (flags & Flag.alarmed) {
    ink.strokeStyle = tint["mark-alarm"];
    ink.beginPath();
    ink.arc(0, 0, 1.4 * s, 0, 7);
    ink.stroke();
  }
  if (flags & Flag.selected) {
    ink.strokeStyle = tint["mark-chosen"];
    ink.strokeRect(-1.4 * s, -1.4 * s, 2.8 * s, 2.8 * s);
  }
}
