// Where each thing was: a bounded ring per track and claim, kept here and not on the server.

import { mercatorX, mercatorY } from "./view";
import { col, type Picture, type Table } from "./wire";
import { bookOf } from "./words";

const POINTS_MAX = 120;
const POINTS_TOTAL = 200_000;
const STEP_MS = 1000;

export interface Trail { x: Float64Array; y: Float64Array; head: number; size: number; seen: number }

export class Trails {
  readonly of = new Map<string, Trail>();
  private lastMs = 0;
  private round = 0;

  add(picture: Picture): void {
    if (picture.timeMs < this.lastMs) this.of.clear(); // time went back: a replay began again
    if (picture.timeMs - this.lastMs < STEP_MS) return;
    this.lastMs = picture.timeMs;
    this.round += 1;
    const n = picture.tracks.n + picture.claims.n;
    const points = Math.max(4, Math.min(POINTS_MAX, Math.floor(POINTS_TOTAL / Math.max(n, 1))));
    this.extend(picture.tracks, points, (i) => `t${col(picture.tracks, "id")[i]!}`);
    const [source, address, placed] = ["source", "address", "placed"].map((c) => col(picture.claims, c));
    this.extend(picture.claims, points, (i) => (placed![i] ? `c${bookOf(source![i]!)}:${address![i]!}` : ""));
    for (const [key, trail] of this.of) if (trail.seen !== this.round) this.of.delete(key);
  }

  private extend(table: Table, points: number, keyOf: (row: number) => string): void {
    if (!table.n) return;
    const [latitude, longitude] = [col(table, "latitude"), col(table, "longitude")];
    for (let i = 0; i < table.n; i++) {
      const key = keyOf(i);
      if (!key) continue;
      let trail = this.of.get(key);
      if (!trail || trail.x.length !== points) {
        trail = { x: new Float64Array(points), y: new Float64Array(points), head: 0, size: 0, seen: 0 };
        this.of.set(key, trail);
      }
      trail.seen = this.round;
      trail.x[trail.head] = mercatorX(longitude[i]!);
      trail.y[trail.head] = mercatorY(latitude[i]!);
      trail.head = (trail.head + 1) % points;
      trail.size = Math.min(trail.size + 1, points);
    }
  }
}
