// Dark or light: chosen by the address (theme=light) or by the person, kept on this machine; follows nothing by itself.

import { COLOUR, type Rgb } from "./words";

export type Theme = "dark" | "light";
const KEPT = "lapwing.theme";
const NAMES = [
  "mark-chosen", "mark-alarm", "mark-alarm-name", "mark-halo", "map-sea", "map-land", "map-coast", "map-border", "map-place",
  "map-airfield", "map-site", "map-reach", "map-zone", "map-zone-fill", "map-zone-name", "map-region", "map-region-fill",
  "map-region-name", "map-source", "map-plan", "map-plan-name", "line-1", "line-2", "line-3", "map-text", "cell-low", "cell-some", "cell-many", "cell-few",
] as const;
type Name = (typeof NAMES)[number];

/** What is drawn on canvases, as CSS colours of the theme that is shown. */
export const tint = {} as Record<Name, string>;
let shown: Theme = "dark";

export const theme = (): Theme => shown;
export const kept = (): Theme | null => {
  const word = localStorage.getItem(KEPT);
  return word === "light" || word === "dark" ? word : null;
};
export const keep = (wanted: Theme): void => localStorage.setItem(KEPT, wanted);

export function setTheme(wanted: Theme): void {
  shown = wanted;
  document.documentElement.dataset["theme"] = wanted;
  document.querySelector('meta[name="color-scheme"]')?.setAttribute("content", wanted);
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  for (const name of NAMES) tint[name] = read(name);
  for (const name of Object.keys(COLOUR) as (keyof typeof COLOUR)[]) COLOUR[name] = rgbOf(read(`mark-${name}`));
}

/** "#rrggbb" or "#rgb" (a build may shorten) as three numbers from 0 to 1. */
export function rgbOf(hex: string): Rgb {
  const long = hex.length === 4 ? [...hex.slice(1)].map((d) => d + d).join("") : hex.slice(1);
  return [0, 2, 4].map((at) => parseInt(long.slice(at, at + 2), 16) / 255) as unknown as Rgb;
}
/** A tint with transparency. */
export const faint = (colour: string, alpha: number): string => `rgb(${rgbOf(colour).map((v) => Math.round(v * 255)).join(" ")} / ${alpha})`;
