// Distance and true bearing between two points, by mouse or by keyboard; the points are in the address.

import { $, say } from "./dom";
import type { Box } from "./remote";
import { faint, tint } from "./theme";
import { latitudeOf, longitudeOf, mercatorX, mercatorY, pixelX, pixelY, type Stage, type View } from "./view";

export interface Point { latitude: number; longitude: number }
const A_M = 6_378_137; // WGS 84
const F = 1 / 298.257223563;
const B_M = A_M * (1 - F);
const DEG = Math.PI / 180;
const NM_M = 1852;
const STEPS = 48;

/** Geodesic on the WGS 84 ellipsoid, metres and degrees clockwise from true north, there and back; null where it does not
 *  converge (nearly opposite points). Vincenty, Survey Review 23(176), 1975, inverse formula. */
export function geodesic(from: Point, to: Point): { metres: number; there: number; back: number } | null {
  if (from.latitude === to.latitude && from.longitude === to.longitude) return { metres: 0, there: 0, back: 0 };
  const L = (((to.longitude - from.longitude + 540) % 360) - 180) * DEG;
  const [u1, u2] = [from, to].map((p) => Math.atan((1 - F) * Math.tan(p.latitude * DEG))) as [number, number];
  const [s1, c1, s2, c2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)];
  let lambda = L;
  for (let i = 0; i < 100; i++) {
    const [sl, cl] = [Math.sin(lambda), Math.cos(lambda)];
    const sinSigma = Math.hypot(c2 * sl, c1 * s2 - s1 * c2 * cl);
    const cosSigma = s1 * s2 + c1 * c2 * cl;
    const sigma = Math.atan2(sinSigma, cosSigma);
    const sinAlpha = (c1 * c2 * sl) / sinSigma;
    const cos2Alpha = 1 - sinAlpha ** 2;
    const middle = cos2Alpha ? cosSigma - (2 * s1 * s2) / cos2Alpha : 0; // 0: along the equator
    const C = (F / 16) * cos2Alpha * (4 + F * (4 - 3 * cos2Alpha));
    const next = L + (1 - C) * F * sinAlpha * (sigma + C * sinSigma * (middle + C * cosSigma * (2 * middle ** 2 - 1)));
    const done = Math.abs(next - lambda) < 1e-12;
    lambda = next;
    if (!done) continue;
    const k = cos2Alpha * (A_M ** 2 / B_M ** 2 - 1);
    const A = 1 + (k / 16384) * (4096 + k * (k * (320 - 175 * k) - 768));
    const B = (k / 1024) * (256 + k * (k * (74 - 47 * k) - 128));
    const turn = B * sinSigma * (middle + (B / 4) * (cosSigma * (2 * middle ** 2 - 1) - (B / 6) * middle * (4 * sinSigma ** 2 - 3) * (4 * middle ** 2 - 3)));
    const around = (y: number, x: number): number => (Math.atan2(y, x) / DEG + 360) % 360;
    return { metres: B_M * A * (sigma - turn), there: around(c2 * sl, c1 * s2 - s1 * c2 * cl), back: (around(c1 * sl, c1 * s2 * cl - s1 * c2) + 180) % 360 };
  }
  return null;
}

export function inWords(from: Point, to: Point): string {
  const found = geodesic(from, to);
  if (!found) return "These points are too nearly opposite each other.";
  const { metres, there, back } = found;
  const exact = (v: number): string => `${v.toFixed(1).padStart(5, "0")}°`;
  return `${metres.toFixed(0)} m  ${(metres / 1000).toFixed(3)} km  ${(metres / NM_M).toFixed(3)} NM  bearing ${exact(there)} true, back ${exact(back)}`;
}

export class Measure {
  on = false;
  points: Point[] = []; // none, one or two
  private mouse: Point | null = null;

  constructor(private readonly stage: Stage, private readonly changed: () => void) {
    $("measure").addEventListener("click", () => this.toggle());
    $("measure-off").addEventListener("click", () => this.toggle(false));
    $("map").addEventListener("pointermove", (event) => {
      if (!this.on) return;
      const box = $("map").getBoundingClientRect();
      this.mouse = this.at(event.clientX - box.left, event.clientY - box.top);
      this.tell();
    });
  }

  toggle(on = !this.on, points: Point[] = []): void {
    this.on = on;
    this.points = points;
    this.mouse = null;
    $("measure").setAttribute("aria-pressed", String(on));
    $("measured").hidden = !on;
    $("stage").classList.toggle("measuring", on);
    if (on) (document.activeElement as HTMLElement | null)?.blur(); // so that Enter sets a point
    this.tell();
    this.changed();
  }

  /** A click; whether it was for measuring. */
  click(x: number, y: number): boolean {
    if (this.on) this.set(this.at(x, y));
    return this.on;
  }
  /** A point where the cross is: the middle of the map. */
  enter(): void {
    this.mouse = null;
    if (this.on) this.set(this.stage.centre);
  }
  private set(point: Point): void {
    this.points = this.points.length === 1 ? [this.points[0]!, point] : [point];
    this.tell();
    this.changed();
  }

  private at(x: number, y: number): Point {
    const view = this.stage.view();
    return { latitude: latitudeOf(view.y + (y - view.height / 2) / view.worldPx), longitude: longitudeOf(view.x + (x - view.width / 2) / view.worldPx) };
  }
  /** From where to where, as far as it is known. */
  private ends(): [Point, Point] | null {
    const [a, b = this.mouse ?? this.stage.centre] = this.points;
    return a ? [a, b] : null;
  }
  private tell(): void {
    const ends = this.ends();
    const text = ends ? inWords(...ends) : "Measure: click two points, or move the map with the arrows and press Enter at the cross.";
    say($("measured-text"), this.points.length === 1 ? `${text}. Set the second point.` : text);
    this.stage.redraw();
  }

  hit(): string {
    return "";
  }
  draw(ink: CanvasRenderingContext2D, view: View): Box[] {
    if (!this.on) return [];
    if (this.points.length === 1 && !this.mouse) this.tellSoon();
    const to = (p: Point): [number, number] => [pixelX(view, mercatorX(p.longitude)), pixelY(view, mercatorY(p.latitude))];
    const ends = this.ends();
    const marks = this.points.map(to);
    ink.lineJoin = "round";
    for (const [width, colour] of [[5, faint(tint["mark-halo"], 0.8)], [2, tint["mark-chosen"]]] as const) {
      ink.strokeStyle = colour;
      ink.lineWidth = width;
      ink.beginPath();
      if (ends) along(...ends).forEach((p) => ink.lineTo(...to(p)));
      for (const [x, y] of marks) {
        ink.moveTo(x + 5, y);
        ink.arc(x, y, 5, 0, 2 * Math.PI);
      }
      if (this.points.length < 2 && !this.mouse) cross(ink, view.width / 2, view.height / 2);
      ink.stroke();
    }
    return [];
  }

  private told = "";
  /** The map moved under the cross. */
  private tellSoon(): void {
    const { latitude, longitude } = this.stage.centre;
    const now = `${latitude} ${longitude}`;
    if (now === this.told) return;
    this.told = now;
    this.tell();
  }
}

function cross(ink: CanvasRenderingContext2D, x: number, y: number): void {
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
    ink.moveTo(x + 4 * dx, y + 4 * dy);
    ink.lineTo(x + 14 * dx, y + 14 * dy);
  }
}

/** Points of the great circle from one point to another. */
function along(from: Point, to: Point): Point[] {
  const vector = (p: Point): [number, number, number] => {
    const [a, o] = [p.latitude * DEG, p.longitude * DEG];
    return [Math.cos(a) * Math.cos(o), Math.cos(a) * Math.sin(o), Math.sin(a)];
  };
  const [u, v] = [vector(from), vector(to)];
  const angle = Math.acos(Math.max(-1, Math.min(1, u[0] * v[0] + u[1] * v[1] + u[2] * v[2])));
  if (angle < 1e-4) return [from, to];
  return Array.from({ length: STEPS + 1 }, (_, i) => {
    const [a, b] = [Math.sin((1 - i / STEPS) * angle), Math.sin((i / STEPS) * angle)];
    const [x, y, z] = [0, 1, 2].map((k) => a * u[k]! + b * v[k]!) as [number, number, number];
    return { latitude: Math.atan2(z, Math.hypot(x, y)) / DEG, longitude: Math.atan2(y, x) / DEG };
  });
}

export const written = (points: Point[]): string => points.map((p) => `${p.latitude.toFixed(6)},${p.longitude.toFixed(6)}`).join(",");
/** Two points, one or none out of an address. */
export function readPoints(text: string): Point[] {
  const v = text.split(",").map(Number);
  if (![2, 4].includes(v.length) || !v.every(Number.isFinite)) return [];
  const points = [{ latitude: v[0]!, longitude: v[1]! }, ...(v.length === 4 ? [{ latitude: v[2]!, longitude: v[3]! }] : [])];
  return points.every((p) => Math.abs(p.latitude) <= 85 && Math.abs(p.longitude) <= 180) ? points : [];
}
