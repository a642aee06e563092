// The view in the address: a link shows a colleague the same place, selection, list and layers.

import { LAYERS, type Layer, type Store } from "./store";
import type { Tab } from "./lists";

export interface Wish { latitude?: number; longitude?: number; zoom?: number; selected: string; tab: Tab; off: Layer[] }

export function read(): Wish {
  const words = new URLSearchParams(location.hash.slice(1));
  const [zoom, latitude, longitude] = (words.get("map") ?? "").split("/").map(Number);
  const placed = [zoom, latitude, longitude].every((v) => v !== undefined && Number.isFinite(v)) && words.has("map");
  const tab = words.get("list");
  const selected = words.get("sel") ?? "";
  return {
    ...(placed ? { zoom: zoom!, latitude: Math.max(-85, Math.min(85, latitude!)), longitude: Math.max(-180, Math.min(180, longitude!)) } : {}),
    selected: /^(t\d+|c\d+:\d+)$/.test(selected) ? selected : "",
    tab: tab === "claims" || tab === "feeds" ? tab : "tracks",
    off: (words.get("off") ?? "").split(",").filter((l): l is Layer => (LAYERS as readonly string[]).includes(l)),
  };
}

export function write(store: Store, tab: Tab, at: { latitude: number; longitude: number }, zoom: number): void {
  const words = [`map=${zoom.toFixed(2)}/${at.latitude.toFixed(5)}/${at.longitude.toFixed(5)}`];
  if (store.selected) words.push(`sel=${store.selected}`);
  if (tab !== "tracks") words.push(`list=${tab}`);
  if (store.hidden.size) words.push(`off=${[...store.hidden].join(",")}`);
  const hash = `#${words.join("&")}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}
