// The site's own plans over the base map: GeoJSON and PMTiles files that this server serves, as map layers that can be switched.

import type { LayerSpecification, SourceSpecification } from "maplibre-gl";
import type { PlanLayer } from "./store";
import { tint } from "./theme";

/** Mirrors docs/wire.md. */
export interface Plan {
  name: string; slug: string; kind: "geojson" | "vector" | "raster"; bounds_deg: [number, number, number, number];
  layers: string[]; zoom_max: number; label: string; credit: string; sha256: string; bytes: number;
}

export const planLayer = (plan: Plan): PlanLayer => `plan:${plan.slug}`;
const urlOf = (plan: Plan): string => `${location.origin}/plans/${plan.slug}`;
const NO_MARKUP: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export function planSource(plan: Plan): SourceSpecification {
  const attribution = plan.credit.replace(/[&<>"]/g, (c) => NO_MARKUP[c]!); // the map takes it for markup
  if (plan.kind === "geojson") return { type: "geojson", data: urlOf(plan), tolerance: 0.1, attribution };
  if (plan.kind === "raster") return { type: "raster", url: `pmtiles://${urlOf(plan)}`, tileSize: 256, attribution };
  return { type: "vector", url: `pmtiles://${urlOf(plan)}`, attribution };
}

/** What is drawn of a plan, from below to above. */
export function planLayers(plan: Plan): LayerSpecification[] {
  const source = planLayer(plan);
  if (plan.kind === "raster") return [{ id: source, type: "raster", source, paint: { "raster-opacity": 0.85, "raster-fade-duration": 0 } }];
  const drawn = plan.kind === "vector" ? plan.layers.map((layer) => ({ "source-layer": layer })) : [{}];
  const shapes = (kind: string): object => ({ filter: ["==", ["geometry-type"], kind] });
  const text = (placement: string): object => ({
    "text-field": ["to-string", ["get", plan.label]], "text-font": ["Open Sans"], "text-size": 11, "symbol-placement": placement, "text-padding": 4,
  });
  const names = { "text-color": tint["map-plan-name"], "text-halo-color": tint["mark-halo"], "text-halo-width": 1.4 };
  const kinds: object[] = [
    { type: "fill", ...shapes("Polygon"), paint: { "fill-color": tint["map-plan"], "fill-opacity": 0.13 } },
    { type: "line", filter: ["!=", ["geometry-type"], "Point"], paint: { "line-color": tint["map-plan"], "line-width": 1.2 } },
    { type: "circle", ...shapes("Point"), paint: { "circle-color": tint["map-plan"], "circle-radius": 3, "circle-stroke-color": tint["mark-halo"], "circle-stroke-width": 1 } },
  ];
  const named = plan.label ? [
    { type: "symbol", filter: ["!=", ["geometry-type"], "LineString"], layout: { ...text("point"), "text-offset": [0, 0.9], "text-anchor": "top" }, paint: names },
    { type: "symbol", ...shapes("LineString"), layout: text("line-center"), paint: names },
  ] : [];
  return [...kinds, ...named].flatMap((layer, k) => drawn.map((of, d) => ({ id: `${source}/${k}/${d}`, source, ...of, ...layer }) as LayerSpecification));
}

/** The lines of a GeoJSON plan as [longitude, latitude], for a canvas without a map. Tiles have none here. */
export async function outlines(plan: Plan): Promise<[number, number][][]> {
  if (plan.kind !== "geojson") return [];
  const answer = await fetch(urlOf(plan));
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const { features } = (await answer.json()) as GeoJSON.FeatureCollection;
  const lines = (g: GeoJSON.Geometry | null): GeoJSON.Position[][] => {
    switch (g?.type) {
      case "LineString": return [g.coordinates];
      case "MultiLineString": case "Polygon": return g.coordinates;
      case "MultiPolygon": return g.coordinates.flat();
      default: return [];
    }
  };
  return features.flatMap((f) => lines(f.geometry)) as [number, number][][];
}
