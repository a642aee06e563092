// Line segments of one picture as the graphics card wants them: two floats relative to an anchor and four bytes of colour per
// vertex, in one buffer that is used again for the next picture, so that a second of 10,000 trails makes no garbage.

import type { Rgb } from "./words";

export const LINE_BYTES = 12;
/** Red, green and blue as the low three bytes of a colour. */
export const packed = (c: Rgb): number => Math.round(c[0] * 255) | (Math.round(c[1] * 255) << 8) | (Math.round(c[2] * 255) << 16);

export class Lines {
  n = 0; // vertices; two make a segment
  private xy = new Float32Array(0);
  private rgba = new Uint32Array(0);
  private readonly anchor = { x: 0.5, y: 0.5 };

  /** Begin anew with room for so many vertices, relative to a point of the Mercator square. */
  begin(room: number, anchor: { x: number; y: number }): void {
    if (3 * room > this.xy.length) {
      const buffer = new ArrayBuffer(LINE_BYTES * Math.ceil(room * 1.3));
      this.xy = new Float32Array(buffer);
      this.rgba = new Uint32Array(buffer);
    }
    Object.assign(this.anchor, anchor);
    this.n = 0;
  }
  point(x: number, y: number, rgb: number, alpha: number): void {
    const at = 3 * this.n++;
    this.xy[at] = x - this.anchor.x;
    this.xy[at + 1] = y - this.anchor.y;
    this.rgba[at + 2] = (rgb | (Math.max(0, Math.min(255, alpha * 255)) << 24)) >>> 0;
  }
  /** What is to be uploaded. */
  get data(): Float32Array {
    return this.xy.subarray(0, 3 * this.n);
  }
  x(i: number): number {
    return this.xy[3 * i]! + this.anchor.x;
  }
  y(i: number): number {
    return this.xy[3 * i + 1]! + this.anchor.y;
  }
  css(i: number): string {
    const c = this.rgba[3 * i + 2]!;
    return `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255} / ${(c >>> 24) / 255})`;
  }
}
