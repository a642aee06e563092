// What is drawn of one picture, as columns: shared by the WebGL layer, the canvas scope, the labels and the mouse.

import { Lines, packed } from "./lines";
import type { Store } from "./store";
import { claimCell, trackCell } from "./symbols";
import { mercatorX, mercatorY, unitsPerMetre } from "./view";
import { col, type Table } from "./wire";
import { COLOUR, bookOf, conditionColour, css, type Rgb } from "./words";

export const Shape = { dart: 0, coasting: 1, dot: 2, aircraft: 3, ship: 4, drone: 5 } as const;
export const Flag = { degraded: 1, lost: 2, inconsistent: 3, alarmed: 8, selected: 16 } as const;
const DEAD_RECKON_S_MAX = 4;

export interface Marks {
  n: number;
  x: Float64Array; y: Float64Array; // Web Mercator at the picture's time
  vx: Float64Array; vy: Float64Array; // per second
  heading: Float32Array; // radians clockwise from north
  shape: Uint8Array;
  flags: Uint8Array;
  cell: Uint8Array; // of the atlas of symbols plus one, 0 = none
  rgb: Float32Array;
  alpha: Float32Array;
  major: Float32Array; minor: Float32Array; turn: Float32Array; // ellipse in Mercator units, radians
  keys: string[];
  anchor: { x: number; y: number }; // near which precision is wanted
  lines: Lines;
}

const DEG = Math.PI / 180;
const shared = new Lines(); // one for all pictures of a map: only the newest is drawn

export function build(store: Store, lines: Lines = shared): Marks {
  const { picture } = store;
  const room = picture ? picture.tracks.n + picture.claims.n : 0;
  const f64 = (): Float64Array => new Float64Array(room);
  const f32 = (): Float32Array => new Float32Array(room);
  const marks: Marks = {
    n: 0, x: f64(), y: f64(), vx: f64(), vy: f64(), heading: f32(), shape: new Uint8Array(room),
    flags: new Uint8Array(room), cell: new Uint8Array(room), rgb: new Float32Array(room * 3), alpha: f32(), major: f32(), minor: f32(),
    turn: f32(), keys: [], anchor: store.anchor, lines,
  };
  lines.begin(0, store.anchor);
  if (!picture) return marks;
  if (store.shows("claims")) addClaims(marks, store, picture.claims);
  if (store.shows("tracks")) addTracks(marks, store, picture.tracks);
  addLines(marks, store);
  return marks;
}

const PLACES = ["latitude", "longitude", "course", "speed", "major", "minor", "orientation"] as const;
type Places = Record<(typeof PLACES)[number], Float64Array>;
const placesOf = (table: Table): Places => Object.fromEntries(PLACES.map((name) => [name, col(table, name)])) as Places;

function add(marks: Marks, places: Places, row: number, key: string, colour: Rgb, moves: boolean): number {
  const i = marks.n++;
  const latitude = places.latitude[row]!;
  const course = places.course[row]! * DEG;
  const scale = unitsPerMetre(latitude);
  const speed = moves ? places.speed[row]! * scale : 0;
  marks.x[i] = mercatorX(places.longitude[row]!);
  marks.y[i] = mercatorY(latitude);
  marks.vx[i] = Math.sin(course) * speed;
  marks.vy[i] = -Math.cos(course) * speed;
  marks.heading[i] = course;
  marks.major[i] = places.major[row]! * scale;
  marks.minor[i] = places.minor[row]! * scale;
  marks.turn[i] = places.orientation[row]! * DEG;
  marks.rgb[3 * i] = colour[0];
  marks.rgb[3 * i + 1] = colour[1];
  marks.rgb[3 * i + 2] = colour[2];
  marks.keys.push(key);
  return i;
}

export const fade = (ageS: number): number => Math.max(0.35, Math.min(1, 1.05 - ageS / 60));

function addTracks(marks: Marks, store: Store, table: Table): void {
  if (!table.n) return;
  const places = placesOf(table);
  const [id, status, ages, kind] = [col(table, "id"), col(table, "status"), col(table, "age"), col(table, "kind")];
  for (let row = 0; row < table.n; row++) {
    const key = `t${id[row]!}`;
    const tentative = status[row] === 0;
    const agreed = store.claimsOfTrack.has(id[row]!);
    const colour = tentative ? COLOUR.tentative : agreed ? COLOUR.agreed : COLOUR.track;
    const i = add(marks, places, row, key, colour, true);
    marks.shape[i] = tentative ? Shape.dot : status[row] === 2 ? Shape.coasting : Shape.dart;
    marks.cell[i] = trackCell(kind[row]!, status[row]!, agreed);
    marks.alpha[i] = fade(ages[row]!);
    marks.flags[i] = (store.alarmed.has(key) ? Flag.alarmed : 0) | (store.selected === key ? Flag.selected : 0);
  }
}

function addClaims(marks: Marks, store: Store, table: Table): void {
  if (!table.n) return;
  const places = placesOf(table);
  const [address, source, condition, placed, ages] = ["address", "source", "condition", "placed", "age"].map((c) =>
    col(table, c),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  for (let row = 0; row < table.n; row++) {
    if (!placed[row]) continue;
    const key = `c${bookOf(source[row]!)}:${address[row]!}`;
    const state = condition[row]!;
    const i = add(marks, places, row, key, conditionColour(state), state !== 2 && ages[row]! < 15);
    marks.shape[i] = source[row]! === 8 ? Shape.drone : source[row]! >= 6 ? Shape.ship : Shape.aircraft;
    marks.cell[i] = claimCell(source[row]!, state);
    marks.alpha[i] = fade(ages[row]!);
    marks.flags[i] =
      (state >= 1 && state <= 3 ? state : 0) |
      (store.alarmed.has(`a${address[row]!}`) ? Flag.alarmed : 0) |
      (store.selected === key ? Flag.selected : 0);
  }
}

function addLines(marks: Marks, store: Store): void {
  const { picture } = store;
  const { lines } = marks;
  if (!picture) return;
  let room = picture.good.n * 16 + picture.directions.n * (6 + 2 * ARC) + 16;
  if (store.shows("trails")) for (const key of marks.keys) room += 2 * (store.trails.of.get(key)?.size ?? 0);
  lines.begin(room, marks.anchor);
  if (store.shows("trails")) {
    for (let i = 0; i < marks.n; i++) {
      const trail = store.trails.of.get(marks.keys[i]!);
      if (!trail || trail.size < 1) continue;
      const c = packed([marks.rgb[3 * i]!, marks.rgb[3 * i + 1]!, marks.rgb[3 * i + 2]!]);
      const top = marks.flags[i]! & Flag.selected ? 1 : 0.7;
      const points = trail.x.length;
      let [px, py] = [marks.x[i]!, marks.y[i]!];
      for (let k = 1; k <= trail.size; k++) {
        const j = (trail.head - k + points) % points;
        const alpha = top * (1 - k / (trail.size + 2));
        lines.point(px, py, c, alpha);
        lines.point((px = trail.x[j]!), (py = trail.y[j]!), c, alpha);
      }
    }
  }
  if (store.shows("claims") && picture.good.n) addGood(store, lines);
  if (store.shows("tracks") && picture.directions.n) addDirections(picture.directions, lines);
}

/** Seven dashes from where a claim is believed to be to where it was last good. */
function addGood(store: Store, lines: Lines): void {
  const { good, claims } = store.picture!;
  const [row, latitude, longitude] = [col(good, "row"), col(good, "latitude"), col(good, "longitude")];
  for (let g = 0; g < good.n; g++) {
    const r = row[g]!;
    if (!col(claims, "placed")[r]) continue;
    const c = packed(conditionColour(col(claims, "condition")[r]!));
    const [x0, y0] = [mercatorX(col(claims, "longitude")[r]!), mercatorY(col(claims, "latitude")[r]!)];
    const [x1, y1] = [mercatorX(longitude[g]!), mercatorY(latitude[g]!)];
    for (let k = 0; k < 7; k++) {
      for (const t of [k / 7, (k + 0.55) / 7]) lines.point(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, c, 0.8);
    }
  }
}

const ARC = 6; // pieces of a wedge's far end
/** A wedge per bearing that nothing explains: its middle, and one standard deviation to either side, closed at the sensor's reach. */
function addDirections(table: Table, lines: Lines): void {
  const grey = packed(COLOUR.tentative);
  const [latitude, longitude, azimuth, sigma, reach, ages] = ["latitude", "longitude", "azimuth", "sigma", "reach", "age"].map((c) =>
    col(table, c),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  for (let i = 0; i < table.n; i++) {
    const [x, y, scale] = [mercatorX(longitude[i]!), mercatorY(latitude[i]!), reach[i]! * unitsPerMetre(latitude[i]!)];
    const fresh = Math.max(0.3, 1 - ages[i]! / 10);
    for (const side of [-1, 0, 1]) {
      const a = (azimuth[i]! + side * sigma[i]!) * DEG;
      const alpha = (side ? 0.8 : 1) * fresh;
      lines.point(x, y, grey, alpha);
      lines.point(x + Math.sin(a) * scale, y - Math.cos(a) * scale, grey, 0.4 * alpha);
    }
    for (let k = 0; k < ARC; k++) {
      for (const end of [k, k + 1]) {
        const a = (azimuth[i]! + ((2 * end) / ARC - 1) * sigma[i]!) * DEG;
        lines.point(x + Math.sin(a) * scale, y - Math.cos(a) * scale, grey, 0.4 * fresh);
      }
    }
  }
}

/** Seconds that symbols run ahead of the picture; nothing runs on when pictures stop coming. */
export function runAhead(store: Store, still: boolean): number {
  if (still || (store.link !== "live" && !store.replaying)) return 0;
  return Math.min((store.pace * (performance.now() - store.arrivedMs)) / 1000, DEAD_RECKON_S_MAX);
}

export const colourOf = (marks: Marks, i: number, alpha = 1): string =>
  css([marks.rgb[3 * i]!, marks.rgb[3 * i + 1]!, marks.rgb[3 * i + 2]!], alpha);
