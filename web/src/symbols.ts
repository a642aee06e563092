// Which symbols are drawn: civil ones (a track's silhouette by its class) or those of APP-6, from one atlas that the build
// draws (symbols.mjs). Chosen by the address (symbols=app6) or by the person, kept on this machine.

import atlas from "./symbols.json";
import atlasUrl from "./symbols.svg";
import type { Marks } from "./marks";

export type SymbolSet = "civil" | "app6";
export const SURE = 0.6; // a kind is drawn from this probability on
export const COLUMNS = atlas.kinds.length;
export const ROWS = atlas.identities.length + 1; // the last one: civil silhouettes
export const CELL_PX = 64;
export const APP6_CELLS = COLUMNS * atlas.identities.length;
const KEPT = "lapwing.symbols";
const [AIRCRAFT, SHIP, DRONE] = ["aircraft", "ship", "multirotor"].map((kind) => atlas.kinds.indexOf(kind)) as [number, number, number];
export const Identity = { pending: 0, unknown: 1, neutral: 2 } as const; // rows of the atlas; there are no others

let shown: SymbolSet = "civil";
export const symbols = (): SymbolSet => shown;
export const setSymbols = (wanted: SymbolSet): void => { shown = wanted; };
export const keptSymbols = (): SymbolSet | null => (localStorage.getItem(KEPT) === "app6" ? "app6" : localStorage.getItem(KEPT) === "civil" ? "civil" : null);
export const keepSymbols = (wanted: SymbolSet): void => localStorage.setItem(KEPT, wanted);

/** The kind in the picture's column, or unknown where it is not sure enough. */
const sureKind = (code: number): number => ((code & 31) / 31 >= SURE ? Math.min(code >> 5, COLUMNS - 1) : 0);

/** Cell of the atlas plus one for a track, 0 = none: a plain symbol. Nobody's track is unknown, one that a claim explains
 *  neutral, one that is tentative pending. */
export function trackCell(kind: number, status: number, agreed: boolean): number {
  const column = sureKind(kind);
  if (shown === "civil") return column && status === 1 ? 1 + APP6_CELLS + column : 0;
  return 1 + COLUMNS * (status === 0 ? Identity.pending : agreed ? Identity.neutral : Identity.unknown) + column;
}

/** The same for a claim: neutral while nothing contradicts it. */
export function claimCell(source: number, condition: number): number {
  if (shown === "civil") return 0;
  return 1 + COLUMNS * (condition === 3 ? Identity.unknown : Identity.neutral) + (source === 8 ? DRONE : source >= 6 ? SHIP : AIRCRAFT);
}

/** Symbols of APP-6 carry an icon and are drawn larger. */
export const scale = (): number => (shown === "app6" ? 1.3 : 1);

let image: HTMLCanvasElement | null = null;
let loading = false;
/** The atlas at twice its size, or null until it is there; `then` is called once it is. */
export function atlasImage(then: () => void): HTMLCanvasElement | null {
  if (image || loading) return image;
  loading = true;
  const source = new Image();
  source.onload = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * CELL_PX * COLUMNS, 2 * CELL_PX * ROWS];
    canvas.getContext("2d")!.drawImage(source, 0, 0, canvas.width, canvas.height);
    image = canvas;
    then();
  };
  source.onerror = () => console.warn("the atlas of symbols cannot be read");
  source.src = atlasUrl;
  return null;
}

/** The kinds that have a silhouette, with its path in a box of 64. */
export const SILHOUETTES = atlas.kinds.map((kind, k) => [kind, atlas.silhouettes[k]!] as const).filter(([, path]) => path);
const paths = new Map<number, Path2D>();

/** One symbol of the atlas on a canvas, in the ink's colour; "" where there is none, else whether it is turned or framed. */
export function drawCell(ink: CanvasRenderingContext2D, marks: Marks, i: number, half: number, then: () => void): "" | "turned" | "framed" {
  const cell = marks.cell[i]! - 1;
  if (cell >= APP6_CELLS) {
    const column = cell - APP6_CELLS;
    if (!paths.has(column)) paths.set(column, new Path2D(atlas.silhouettes[column]));
    ink.save();
    ink.rotate(marks.heading[i]!);
    ink.scale((1.3 * half) / 32, (1.3 * half) / 32);
    ink.translate(-32, -32);
    ink.lineWidth = 7;
    ink.stroke(paths.get(column)!);
    ink.restore();
    return "turned";
  }
  const source = cell >= 0 && cell < APP6_CELLS ? atlasImage(then) : null;
  if (!source) return "";
  const side = 2 * CELL_PX;
  const size = 2 * 1.3 * half * scale();
  ink.drawImage(source, (cell % COLUMNS) * side, Math.floor(cell / COLUMNS) * side, side, side, -size / 2, -size / 2, size, size);
  return "framed";
}
