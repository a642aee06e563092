// The view in the address: a link shows a colleague the same place, selection, list and layers.

import { readPoints, written, type Point } from "./measure";
import { LAYERS, type FixedLayer, type Layer, type Store } from "./store";
import type { Tab } from "./lists";
import { keptSymbols, symbols, type SymbolSet } from "./symbols";
import { kept, theme, type Theme } from "./theme";

const ASKED_FOR: FixedLayer[] = ["cells", "unseen", "coverage"]; // not shown unless asked for
const named = (words: URLSearchParams, list: string, layer: FixedLayer): boolean => (words.get(list) ?? "").split(",").includes(layer);

/** Plans that are not to be shown: the page does not know yet which there are. */
const plansIn = (words: URLSearchParams): Layer[] => (words.get("off") ?? "").split(",").filter((w): w is `plan:${string}` => /^plan:[a-z0-9-]{1,64}$/.test(w));

const KEPT = "lapwing.layers.off";
/** The layers that were switched off on this machine last; null: never. */
function keptLayers(): Layer[] | null {
  try {
    const off: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "null");
    return Array.isArray(off) ? off.filter((l): l is Layer => LAYERS.includes(l as FixedLayer) || /^plan:[a-z0-9-]{1,64}$/.test(String(l))) : null;
  } catch {
    return null; // somebody else's word under our name
  }
}
export const keepLayers = (store: Store): void => localStorage.setItem(KEPT, JSON.stringify([...store.hidden]));

export interface Wish { latitude?: number; longitude?: number; zoom?: number; selected: string; tab: Tab; off: Layer[]; atMs?: number; theme: Theme; symbols: SymbolSet; split: boolean; kiosk: boolean; measure: Point[] | null; coverage: string }

export function read(hash = location.hash): Wish {
  const words = new URLSearchParams(hash.slice(1));
  const [zoom, latitude, longitude] = (words.get("map") ?? "").split("/").map(Number);
  const placed = [zoom, latitude, longitude].every((v) => v !== undefined && Number.isFinite(v)) && words.has("map");
  const tab = words.get("list");
  const selected = words.get("sel") ?? "";
  const wanted = words.get("theme");
  const atMs = Date.parse(words.get("at") ?? "");
  const asked = LAYERS.filter((l) => (ASKED_FOR.includes(l) ? !named(words, "on", l) : named(words, "off", l)));
  return {
    ...(placed ? { zoom: zoom!, latitude: Math.max(-85, Math.min(85, latitude!)), longitude: Math.max(-180, Math.min(180, longitude!)) } : {}),
    ...(Number.isFinite(atMs) && atMs >= 0 ? { atMs } : {}),
    theme: wanted === "light" || wanted === "dark" ? wanted : (kept() ?? "dark"),
    symbols: words.get("symbols") === "app6" || words.get("symbols") === "civil" ? (words.get("symbols") as SymbolSet) : (keptSymbols() ?? "civil"),
    split: words.get("split") === "1",
    kiosk: words.get("kiosk") === "1",
    coverage: words.get("coverage") ?? "",
    measure: words.has("measure") ? readPoints(words.get("measure")!) : null,
    selected: /^(t\d+|c\d+:\d+)$/.test(selected) ? selected : "",
    tab: tab === "claims" || tab === "feeds" ? tab : "tracks",
    off: (hash.length > 1 ? null : keptLayers()) ?? [...asked, ...plansIn(words)], // an address says all of it
  };
}

const WORDS = ["map", "sel", "list", "off", "on", "at", "coverage", "split", "symbols", "theme", "measure", "kiosk"];
/** Which words an address says. One with a place, as the page itself writes it, says all of them: what is not there is as by default. */
export function said(hash: string): ReadonlySet<string> {
  const words = new URLSearchParams(hash.slice(1));
  return new Set(WORDS.filter((w) => words.has("map") || words.has(w)));
}

export interface Shown { tab: Tab; centre: Point; zoom: number; pastMs: number | null; split: boolean; kiosk: boolean; measure: Point[] | null; coverage: string }

export function write(store: Store, { tab, centre, zoom, pastMs, split, kiosk, measure, coverage }: Shown): void {
  const words = [`map=${zoom.toFixed(2)}/${centre.latitude.toFixed(5)}/${centre.longitude.toFixed(5)}`];
  if (theme() !== "dark" || kept()) words.push(`theme=${theme()}`);
  if (symbols() !== "civil" || keptSymbols()) words.push(`symbols=${symbols()}`);
  if (kiosk) words.push("kiosk=1");
  if (measure) words.push(`measure=${written(measure)}`);
  if (store.selected) words.push(`sel=${store.selected}`);
  if (tab !== "tracks") words.push(`list=${tab}`);
  const on = ASKED_FOR.filter((l) => store.shows(l));
  const off = [...store.hidden].filter((l) => !ASKED_FOR.includes(l as FixedLayer));
  if (on.length) words.push(`on=${on.join(",")}`);
  if (store.shows("coverage")) words.push(`coverage=${coverage}`);
  if (off.length) words.push(`off=${off.join(",")}`);
  if (split) words.push("split=1");
  if (pastMs !== null) words.push(`at=${new Date(pastMs).toISOString()}`);
  const hash = `#${words.join("&")}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}
