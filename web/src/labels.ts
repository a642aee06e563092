// Names beside symbols, on one canvas over the map: the important first, none over another; and what the mouse hits.

import { symbolPx } from "./layer";
import { Flag, Shape, colourOf, runAhead, type Marks } from "./marks";
import { nameOfOther } from "./others";
import type { Box } from "./remote";
import type { Store } from "./store";
import { faint, tint } from "./theme";
import { pixelX, pixelY, type Stage, type View } from "./view";
import { col, HEIGHT_UNKNOWN } from "./wire";
import { nameAddress } from "./words";

const LABELS_MAX = 160;
const HIT_PX = 16;
const WIDTHS_MAX = 5000;

/** What is drawn under the labels: gives the boxes of its own words, and what the mouse hits of it. */
export interface Overlay { draw(ink: CanvasRenderingContext2D, view: View): Box[]; hit(x: number, y: number): string }

export class Labels {
  private marks: Marks | null = null;
  private readonly widths = new Map<string, number>();

  constructor(private readonly store: Store, private readonly stage: Stage, private readonly canvas: HTMLCanvasElement, private readonly under: Overlay[], private readonly still: boolean) {
    stage.onFrame(() => this.draw());
  }

  take(marks: Marks): void {
    this.marks = marks;
  }

  /** The key of the nearest symbol within reach of a point, or "". */
  hit(x: number, y: number): string {
    const { marks } = this;
    if (!marks) return "";
    const view = this.stage.view();
    const ahead = runAhead(this.store, this.still);
    let best = HIT_PX * HIT_PX;
    let found = "";
    for (let i = 0; i < marks.n; i++) {
      const dx = pixelX(view, marks.x[i]! + marks.vx[i]! * ahead) - x;
      const dy = pixelY(view, marks.y[i]! + marks.vy[i]! * ahead) - y;
      const d = dx * dx + dy * dy;
      if (d <= best) {
        best = d;
        found = marks.keys[i]!;
      }
    }
    return found || this.under.reduce((key, o) => key || o.hit(x, y), "");
  }

  /** Width of a text in pixels; the same texts come again ten times a second. */
  private width(ink: CanvasRenderingContext2D, text: string): number {
    let found = this.widths.get(text);
    if (found === undefined) {
      if (this.widths.size >= WIDTHS_MAX) this.widths.clear();
      this.widths.set(text, (found = ink.measureText(text).width));
    }
    return found;
  }

  private draw(): void {
    const view = this.stage.view();
    const { canvas, marks } = this;
    const ratio = Math.min(devicePixelRatio, 2);
    const [w, h] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const ink = canvas.getContext("2d")!;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, view.width, view.height);
    const taken: Box[] = this.under.flatMap((o) => o.draw(ink, view));
    if (!marks || !this.store.shows("labels") || !this.store.picture) return;
    const ahead = runAhead(this.store, this.still);
    const gap = symbolPx(view) * 1.5 + 3;
    const close = this.stage.zoom >= 8.5;
    const ranks: number[][] = [[], [], [], [], []]; // the important first
    for (let i = 0; i < marks.n; i++) {
      const flags = marks.flags[i]!;
      const rank = flags & Flag.selected ? 0 : flags & Flag.alarmed ? 1 : flags & 7 ? 3 : marks.shape[i]! === Shape.dart ? 2 : 4;
      if (rank >= 2 && !close) continue;
      const x = pixelX(view, marks.x[i]! + marks.vx[i]! * ahead) + gap;
      const y = pixelY(view, marks.y[i]! + marks.vy[i]! * ahead);
      if (x >= -60 && y >= -10 && x <= view.width && y <= view.height + 10) ranks[rank]!.push(i);
    }
    ink.font = "600 11px 'Open Sans', sans-serif";
    ink.textBaseline = "middle";
    ink.lineJoin = "round";
    let drawn = 0;
    for (const [rank, i] of ranks.flatMap((rows, r) => rows.map((row) => [r, row] as const))) {
      if (drawn >= LABELS_MAX) break;
      const x = pixelX(view, marks.x[i]! + marks.vx[i]! * ahead) + gap;
      const y = pixelY(view, marks.y[i]! + marks.vy[i]! * ahead);
      const text = labelOf(this.store, marks.keys[i]!);
      const box: Box = [x - 2, y - 7, x + this.width(ink, text) + 4, y + 7];
      if (rank > 0 && taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
      taken.push(box);
      drawn += 1;
      ink.strokeStyle = faint(tint["mark-halo"], 0.9);
      ink.lineWidth = 3;
      ink.strokeText(text, x, y);
      ink.fillStyle = rank === 0 ? tint["mark-chosen"] : rank === 1 ? tint["mark-alarm-name"] : colourOf(marks, i, Math.max(0.75, marks.alpha[i]!));
      ink.fillText(text, x, y);
    }
  }
}

export function nameOf(store: Store, key: string): string {
  if (key.startsWith("o")) return nameOfOther(key);
  if (key.startsWith("t")) return `T${key.slice(1)}`;
  const [book, address] = key.slice(1).split(":").map(Number) as [number, number];
  return store.names.get(key.slice(1)) ?? nameAddress(address, book);
}

function labelOf(store: Store, key: string): string {
  if (!key.startsWith("t")) return nameOf(store, key);
  const row = store.trackRow.get(Number(key.slice(1)));
  const height = row === undefined ? HEIGHT_UNKNOWN : col(store.picture!.tracks, "height")[row]!;
  return nameOf(store, key) + (height === HEIGHT_UNKNOWN ? "" : `  ${Math.round(height)} m`);
}
