// Remote ID beyond symbols: a dashed ring around the receiver that heard a sender whose place is unknown, and a mark where
// the person who flies says to be. A ring says "somewhere near here": its size on the screen is no distance.

import { nameOf } from "./labels";
import { fade, runAhead } from "./marks";
import type { Store } from "./store";
import { faint, tint } from "./theme";
import { mercatorX, mercatorY, pixelX, pixelY, type View } from "./view";
import { col } from "./wire";
import { COLOUR, css, shortAge } from "./words";

const RING_PX = 24;
const STEP_PX = 13;
const RINGS_MAX = 8; // around one receiver; the others are in the list of claims
const HIT_PX = 7;

interface Ring { key: string; x: number; y: number; radius: number; alpha: number; text: string }
export type Box = [number, number, number, number];

export class Remote {
  private drawn: Ring[] = [];

  constructor(private readonly store: Store, private readonly still: boolean) {}

  /** The key of the ring under a point, or "". */
  hit(x: number, y: number): string {
    const off = (r: Ring): number => Math.abs(Math.hypot(x - r.x, y - r.y) - r.radius);
    const best = this.drawn.reduce<Ring | null>((a, r) => (a && off(a) <= off(r) ? a : r), null);
    return best && off(best) <= HIT_PX ? best.key : "";
  }

  /** Draws, and gives the boxes of its words. */
  draw(ink: CanvasRenderingContext2D, view: View): Box[] {
    this.drawn = [];
    if (!this.store.picture || !this.store.shows("claims")) return [];
    const boxes: Box[] = [];
    for (const [feed, keys] of this.silentByFeed()) this.rings(ink, view, feed, keys, boxes);
    for (const [key, { person }] of Object.entries(this.store.remote)) {
      if (person && this.store.claimRow.has(key)) this.person(ink, view, key, person.latitude_deg, person.longitude_deg, boxes);
    }
    return boxes;
  }

  private silentByFeed(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const [key, { feed }] of Object.entries(this.store.remote)) {
      const row = this.store.claimRow.get(key);
      if (!feed || row === undefined || col(this.store.picture!.claims, "placed")[row]) continue;
      found.set(feed, [...(found.get(feed) ?? []), key]);
    }
    for (const keys of found.values()) keys.sort();
    return found;
  }

  private rings(ink: CanvasRenderingContext2D, view: View, feed: string, keys: string[], boxes: Box[]): void {
    const at = this.store.receiver(feed);
    if (!at) return; // nobody told where it stands: the list says so
    const [x, y] = [pixelX(view, mercatorX(at.longitude)), pixelY(view, mercatorY(at.latitude))];
    const selected = keys.findIndex((k) => `c${k}` === this.store.selected);
    const shown = selected >= RINGS_MAX ? [...keys.slice(0, RINGS_MAX - 1), keys[selected]!] : keys.slice(0, RINGS_MAX);
    shown.forEach((key, i) => {
      const heard = col(this.store.picture!.claims, "heard")[this.store.claimRow.get(key)!]!;
      const radius = RING_PX + STEP_PX * i;
      const text = `${nameOf(this.store, `c${key}`)}  place unknown, heard ${shortAge(heard)} ago`;
      this.drawn.push({ key: `c${key}`, x, y, radius, alpha: fade(heard), text });
    });
    const more = keys.length > shown.length ? `and ${keys.length - shown.length} more, see the list of claims` : "";
    for (const ring of this.drawn.slice(-shown.length)) this.ring(ink, ring, boxes);
    if (more) write(ink, more, x, y + RING_PX + STEP_PX * shown.length + 4, css(COLOUR.unknown), boxes);
  }

  private ring(ink: CanvasRenderingContext2D, ring: Ring, boxes: Box[]): void {
    const selected = ring.key === this.store.selected;
    const alarmed = this.store.alarmed.has(`a${ring.key.split(":")[1]!}`);
    for (const [width, colour] of [[4, faint(tint["mark-halo"], 0.75)], [selected ? 2.4 : 1.6, selected ? tint["mark-chosen"] : alarmed ? tint["mark-alarm"] : css(COLOUR.unknown, ring.alpha)]] as const) {
      ink.strokeStyle = colour;
      ink.lineWidth = width;
      ink.setLineDash([7, 5]);
      ink.beginPath();
      ink.arc(ring.x, ring.y, ring.radius, 0, 2 * Math.PI);
      ink.stroke();
    }
    ink.setLineDash([]);
    const turn = -Math.PI / 3; // words beside the ring, each at its own height
    const [x, y] = [ring.x + ring.radius * Math.cos(turn) + 6, ring.y + ring.radius * Math.sin(turn) - 2];
    write(ink, ring.text, x, y, selected ? tint["mark-chosen"] : css(COLOUR.unknown, Math.max(0.75, ring.alpha)), boxes);
  }

  private person(ink: CanvasRenderingContext2D, view: View, key: string, latitude: number, longitude: number, boxes: Box[]): void {
    const [x, y] = [pixelX(view, mercatorX(longitude)), pixelY(view, mercatorY(latitude))];
    if (x < -40 || y < -40 || x > view.width + 40 || y > view.height + 40) return;
    const selected = `c${key}` === this.store.selected;
    const colour = selected ? tint["mark-chosen"] : css(COLOUR.ok);
    const row = this.store.claimRow.get(key)!;
    const { claims } = this.store.picture!;
    if (col(claims, "placed")[row]) {
      const [course, speed] = [(col(claims, "course")[row]! * Math.PI) / 180, col(claims, "speed")[row]! * runAhead(this.store, this.still)];
      const north = (speed * Math.cos(course)) / 111_320;
      const east = (speed * Math.sin(course)) / (111_320 * Math.cos((latitude * Math.PI) / 180));
      ink.strokeStyle = colour;
      ink.lineWidth = 1;
      ink.setLineDash([2, 5]);
      ink.beginPath();
      ink.moveTo(x, y);
      ink.lineTo(pixelX(view, mercatorX(col(claims, "longitude")[row]! + east)), pixelY(view, mercatorY(col(claims, "latitude")[row]! + north)));
      ink.stroke();
      ink.setLineDash([]);
    }
    for (const [width, stroke] of [[5, faint(tint["mark-halo"], 0.85)], [2, colour]] as const) {
      ink.strokeStyle = stroke;
      ink.lineWidth = width;
      ink.beginPath();
      ink.arc(x, y - 5, 3.2, 0, 2 * Math.PI); // head
      ink.moveTo(x - 6, y + 7);
      ink.arc(x, y + 7, 6, Math.PI, 0); // shoulders
      ink.stroke();
    }
    write(ink, `flies ${nameOf(this.store, `c${key}`)}`, x + 11, y, colour, boxes);
  }
}

function write(ink: CanvasRenderingContext2D, text: string, x: number, y: number, colour: string, boxes: Box[]): void {
  ink.font = "600 11px 'Open Sans', sans-serif";
  ink.textBaseline = "middle";
  ink.lineJoin = "round";
  ink.strokeStyle = faint(tint["mark-halo"], 0.9);
  ink.lineWidth = 3;
  ink.strokeText(text, x, y);
  ink.fillStyle = colour;
  ink.fillText(text, x, y);
  boxes.push([x - 2, y - 7, x + ink.measureText(text).width + 4, y + 7]);
}
