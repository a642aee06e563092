// The map: local vector tiles, zones, sensors and regions as GeoJSON; everything that moves is in the custom layer.

import "maplibre-gl/dist/maplibre-gl.css";
import { AttributionControl, Map as Chart, ScaleControl, addProtocol, setWorkerUrl } from "maplibre-gl";
import type { GeoJSONSource, LayerSpecification, StyleSpecification } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { Protocol } from "pmtiles";
import { SHADES } from "./cells";
import { MarkLayer } from "./layer";
import { runAhead, type Marks } from "./marks";
import { planLayer, planLayers, planSource, type Plan } from "./plans";
import type { FixedLayer, Layer, Store } from "./store";
import { tint } from "./theme";
import { mercatorX, mercatorY, type Stage, type View } from "./view";

const FONT = ["Open Sans"];
const nothing = (): GeoJSON.FeatureCollection => ({ type: "FeatureCollection", features: [] });

const base = (id: string, layer: string, rest: object): LayerSpecification =>
  ({ id, source: "base", "source-layer": layer, ...rest }) as LayerSpecification;
const over = (id: string, source: string, rest: object): LayerSpecification => ({ id, source, ...rest }) as LayerSpecification;

function style(): StyleSpecification {
  const shade = ["match", ["get", "shade"], ...SHADES.flatMap(([, name]) => [name, tint[`cell-${name}`]]), tint["cell-few"]];
  const hue = ["match", ["get", "hue"], 0, tint["line-1"], 1, tint["line-2"], tint["line-3"]];
  const HALO = { "text-halo-color": tint["mark-halo"], "text-halo-width": 1.4 };
  return {
    version: 8,
    sources: {
      base: { type: "vector", url: `pmtiles://${location.origin}/basemap.pmtiles`, attribution: "Made with Natural Earth · airportsdata" },
      site: { type: "geojson", data: nothing(), tolerance: 0.1 },
      names: { type: "geojson", data: nothing() },
      reach: { type: "geojson", data: nothing(), tolerance: 0.1 },
      regions: { type: "geojson", data: nothing(), tolerance: 0.1 },
      cells: { type: "geojson", data: nothing(), tolerance: 0.1 },
      unseen: { type: "geojson", data: nothing(), tolerance: 0 },
      coverage: { type: "geojson", data: nothing(), tolerance: 0.1 },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": tint["map-sea"] } },
      base("land", "land", { type: "fill", paint: { "fill-color": tint["map-land"], "fill-antialias": false } }),
      base("coast", "coast", { type: "line", paint: { "line-color": tint["map-coast"], "line-width": 0.9 } }),
      base("border", "border", { type: "line", paint: { "line-color": tint["map-border"], "line-width": 0.9, "line-dasharray": [4, 3] } }),
      base("airfield", "airfield", { type: "circle", minzoom: 7, paint: { "circle-radius": 2.2, "circle-color": tint["map-sea"], "circle-stroke-color": tint["map-airfield"], "circle-stroke-width": 1 } }),
      base("country-name", "country", { type: "symbol", maxzoom: 7, filter: ["<=", ["get", "zoom"], ["zoom"]], layout: { "text-field": ["upcase", ["get", "name"]], "text-font": FONT, "text-size": 11, "text-letter-spacing": 0.12, "text-max-width": 8 }, paint: { "text-color": tint["map-place"], ...HALO } }),
      base("airfield-name", "airfield", { type: "symbol", minzoom: 8.5, layout: { "text-field": ["get", "icao"], "text-font": FONT, "text-size": 10, "text-offset": [0, 0.9], "text-anchor": "top" }, paint: { "text-color": tint["map-place"], ...HALO } }),
      over("unseen-fill", "unseen", { type: "fill", paint: { "fill-color": tint["map-source"], "fill-opacity": ["interpolate", ["linear"], ["get", "ratio"], 0, 0, 1, 0.22, 3, 0.5], "fill-antialias": false } }),
      over("cell-fill", "cells", { type: "fill", paint: { "fill-color": shade, "fill-opacity": ["match", ["get", "shade"], "few", 0.08, 0.22] } }),
      over("cell-line", "cells", { type: "line", paint: { "line-color": shade, "line-width": 1, "line-opacity": 0.7 } }),
      over("source-fill", "regions", { type: "fill", filter: ["==", ["get", "kind"], "source"], paint: { "fill-color": tint["map-source"], "fill-opacity": 0.22 } }),
      over("source-line", "regions", { type: "line", filter: ["==", ["get", "kind"], "source"], paint: { "line-color": tint["map-source"], "line-width": 1.4 } }),
      over("region-fill", "regions", { type: "fill", filter: ["==", ["get", "kind"], "region"], paint: { "fill-color": tint["map-region-fill"], "fill-opacity": 0.1 } }),
      over("region-line", "regions", { type: "line", filter: ["==", ["get", "kind"], "region"], paint: { "line-color": tint["map-region"], "line-width": 1.6, "line-dasharray": [2, 2] } }),
      over("coverage-fill", "coverage", { type: "fill", filter: ["==", ["get", "kind"], "measured"], paint: { "fill-color": hue, "fill-opacity": 0.07, "fill-antialias": false } }),
      over("coverage-measured", "coverage", { type: "line", filter: ["==", ["get", "kind"], "measured"], paint: { "line-color": hue, "line-width": 1.6 } }),
      over("coverage-predicted", "coverage", { type: "line", filter: ["==", ["get", "kind"], "predicted"], paint: { "line-color": hue, "line-width": 1.2, "line-dasharray": [5, 4] } }),
      over("reach-line", "reach", { type: "line", paint: { "line-color": tint["map-reach"], "line-width": 1, "line-dasharray": [1, 4] } }),
      over("zone-fill", "site", { type: "fill", filter: ["==", ["get", "kind"], "zone"], paint: { "fill-color": ["case", ["get", "alarmed"], tint["mark-alarm"], tint["map-zone-fill"]], "fill-opacity": ["case", ["get", "alarmed"], 0.16, 0.05] } }),
      over("zone-line", "site", { type: "line", filter: ["==", ["get", "kind"], "zone"], paint: { "line-color": ["case", ["get", "alarmed"], tint["mark-alarm"], tint["map-zone"]], "line-width": ["case", ["get", "alarmed"], 2.6, 1.5] } }),
      over("sensor", "site", { type: "circle", filter: ["in", ["get", "kind"], ["literal", ["sensor", "receiver", "origin"]]], paint: { "circle-radius": ["case", ["==", ["get", "kind"], "origin"], 2.5, 4.5], "circle-color": tint["map-sea"], "circle-stroke-color": tint["map-site"], "circle-stroke-width": 1.5 } }),
      over("sensor-name", "site", { type: "symbol", filter: ["in", ["get", "kind"], ["literal", ["sensor", "receiver"]]], layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": 11, "text-offset": [0, 0.9], "text-anchor": "top" }, paint: { "text-color": tint["map-site"], ...HALO } }),
      over("cell-name", "cells", { type: "symbol", minzoom: 6, layout: { "text-field": ["get", "label"], "text-font": FONT, "text-size": 11 }, paint: { "text-color": tint["map-text"], ...HALO } }),
      // Names stand outside: a zone's above its northern edge, a region's below its southern one.
      over("region-name", "names", { type: "symbol", filter: ["==", ["get", "kind"], "region"], layout: { "text-field": ["get", "label"], "text-font": FONT, "text-size": 11, "text-anchor": "top", "text-offset": [0, 0.4], "text-max-width": 24 }, paint: { "text-color": tint["map-region-name"], ...HALO } }),
      over("zone-name", "names", { type: "symbol", filter: ["==", ["get", "kind"], "zone"], layout: { "text-field": ["get", "label"], "text-font": FONT, "text-size": 12, "text-anchor": "bottom", "text-offset": [0, -0.3], "text-max-width": 24, "text-allow-overlap": true }, paint: { "text-color": ["case", ["get", "alarmed"], tint["mark-alarm-name"], tint["map-zone-name"]], ...HALO } }),
    ],
  };
}

const PLANS_BELOW = "airfield"; // the layer that plans lie under
const LAYERS_OF: Partial<Record<FixedLayer, string[]>> = {
  zones: ["zone-fill", "zone-line", "zone-name"],
  sensors: ["sensor", "sensor-name", "reach-line"],
  regions: ["region-fill", "region-line", "region-name", "source-fill", "source-line"],
  cells: ["cell-fill", "cell-line", "cell-name"],
  unseen: ["unseen-fill"],
  coverage: ["coverage-fill", "coverage-measured", "coverage-predicted"],
  airfields: ["airfield", "airfield-name"],
};

let prepared = false;
/** Once for all maps of the page. */
function prepare(): void {
  if (prepared) return;
  prepared = true;
  setWorkerUrl(new URL(workerUrl, import.meta.url).href);
  addProtocol("pmtiles", new Protocol().tile);
}

export class MapStage implements Stage {
  private readonly chart: Chart;
  private readonly marks: MarkLayer;
  private readonly frames: (() => void)[] = [];
  private loaded = false;
  private readonly size: { width: number; height: number }; // kept: to ask for it makes the browser lay out the page
  private zoneNames: GeoJSON.Feature[] = [];
  private regionNames: GeoJSON.Feature[] = [];
  private plans: Plan[] = []; // that are on the map

  constructor(private readonly store: Store, container: HTMLElement, start: { latitude: number; longitude: number; zoom: number }, still: boolean) {
    prepare();
    this.chart = new Chart({
      container, style: style(), center: [start.longitude, start.latitude], zoom: start.zoom, minZoom: 1, maxZoom: 17,
      dragRotate: false, pitchWithRotate: false, touchPitch: false, renderWorldCopies: false, keyboard: false,
      attributionControl: false, fadeDuration: 0, locale: { "Map.Title": container.dataset["title"] ?? "Map" }, canvasContextAttributes: { antialias: false },
    });
    this.size = { width: container.clientWidth, height: container.clientHeight };
    this.chart.on("resize", () => Object.assign(this.size, { width: container.clientWidth, height: container.clientHeight }));
    this.chart.touchZoomRotate.disableRotation();
    this.chart.addControl(new AttributionControl({ compact: false }), "bottom-right");
    this.chart.addControl(new ScaleControl({ maxWidth: 110 }), "bottom-right");
    this.marks = new MarkLayer(() => this.view(), () => runAhead(store, still), () => (still ? 1 : 0.5 + 0.5 * Math.sin(performance.now() / 200)), () => this.redraw());
    this.chart.on("load", () => {
      this.loaded = true;
      this.chart.addLayer(this.marks, "zone-name");
      this.showSite();
      this.showRegions();
      this.showCells();
      this.showPlans();
      this.paint(); // it may have changed meanwhile
    });
    this.chart.on("error", ({ error }) => {
      // A tile asked for and passed by while the map moved is no news.
      if (!(error instanceof DOMException && error.name === "AbortError")) console.warn("map:", error);
    });
    this.chart.on("render", () => this.frames.forEach((then) => then()));
    store.on("site", () => this.showSite());
    store.on("regions", () => this.showRegions());
    store.on("cells", () => this.showCells());
    for (const topic of ["unseen", "coverage"] as const) store.on(topic, () => this.showCells());
    store.on("plans", () => this.showPlans());
    store.on("alarms", () => this.showSite());
    store.on("layers", () => this.showLayers());
    store.on("theme", () => this.paint());
  }

  take(marks: Marks): void {
    this.marks.ellipses = this.store.shows("ellipses");
    this.marks.take(marks);
    this.redraw();
  }
  view(): View {
    const { lng, lat } = this.chart.getCenter();
    return { x: mercatorX(lng), y: mercatorY(lat), worldPx: 512 * 2 ** this.chart.getZoom(), ...this.size };
  }
  get zoom(): number {
    return this.chart.getZoom();
  }
  get drawMs(): number {
    return this.marks.drawMs;
  }
  get centre(): { latitude: number; longitude: number } {
    const { lng, lat } = this.chart.getCenter();
    return { latitude: lat, longitude: lng };
  }
  flyTo(latitude: number, longitude: number, zoom = Math.max(this.zoom, 11)): void {
    this.chart.easeTo({ center: [longitude, latitude], zoom, duration: 600 }); // obeys prefers-reduced-motion by itself
  }
  jumpTo(latitude: number, longitude: number, zoom: number): void {
    this.chart.jumpTo({ center: [longitude, latitude], zoom });
  }
  panBy(x: number, y: number): void {
    this.chart.panBy([x, y], { duration: 150 });
  }
  zoomBy(steps: number): void {
    this.chart.easeTo({ zoom: this.zoom + steps, duration: 200 });
  }
  redraw(): void {
    this.chart.triggerRepaint();
  }
  onFrame(then: () => void): void {
    this.frames.push(then);
  }
  onClick(then: (x: number, y: number) => void): void {
    this.chart.on("click", (event) => then(event.point.x, event.point.y));
  }

  /** The colours of the theme that is shown. */
  private paint(): void {
    if (!this.loaded) return;
    for (const { id, paint } of [...style().layers, ...this.plans.flatMap(planLayers)] as { id: string; paint?: object }[]) {
      for (const [name, value] of Object.entries<unknown>((paint ?? {}) as Record<string, unknown>)) this.chart.setPaintProperty(id, name as "background-color", value as string);
    }
  }

  private showSite(): void {
    if (!this.loaded || !this.store.site) return;
    const alarmed = new Set(this.store.alarms.filter((a) => a.state !== "cleared").map((a) => a.zone));
    const features = this.store.site.features.map((f) => {
      const p = f.properties ?? {};
      const label = `${p["name"]}  ${p["height_m_min"]} to ${p["height_m_max"]} m`;
      return { ...f, properties: { ...p, label, alarmed: p["kind"] === "zone" && alarmed.has(p["name"]) } };
    });
    this.source("site").setData({ type: "FeatureCollection", features });
    this.zoneNames = features.flatMap((f) => (f.geometry.type === "Polygon" ? [edgeName(f.geometry.coordinates[0]!, 1, f.properties)] : []));
    this.showNames();
    const reach = this.store.site.features.flatMap((f) => {
      const [longitude, latitude] = f.geometry.type === "Point" ? f.geometry.coordinates : [];
      const radius = f.properties?.["range_m_max"] as number | undefined;
      return radius && longitude !== undefined && latitude !== undefined ? [circle(latitude, longitude, radius, {})] : [];
    });
    this.source("reach").setData({ type: "FeatureCollection", features: reach });
  }

  private showRegions(): void {
    if (!this.loaded) return;
    const features = this.store.regions.map((r) => {
      const [cause, p] = Object.entries(r.causes).reduce((best, one) => (one[1] > best[1] ? one : best), ["", 0]);
      const why = p > 0 ? `, ${cause} ${Math.round(100 * p)} %` : "";
      return circle(r.latitude, r.longitude, r.radius_m, { kind: "region", label: `GNSS interference: ${r.affected} of ${r.exposed} affected${why}` });
    });
    const rings = this.store.sources.filter((s) => s.unique).flatMap((s) => s.rings.map((r): GeoJSON.Feature<GeoJSON.Polygon> =>
      ({ type: "Feature", properties: { kind: "source", share: r.share }, geometry: { type: "Polygon", coordinates: [r.ring] } })));
    this.source("regions").setData({ type: "FeatureCollection", features: [...features, ...rings] });
    this.regionNames = features.map((f) => edgeName(f.geometry.coordinates[0]!, -1, f.properties ?? {}));
    this.showNames();
  }

  private showCells(): void {
    if (this.loaded) this.source("cells").setData({ type: "FeatureCollection", features: this.store.cells });
    if (this.loaded) this.source("unseen").setData({ type: "FeatureCollection", features: this.store.unseen });
    if (this.loaded) this.source("coverage").setData({ type: "FeatureCollection", features: this.store.coverage });
  }

  private showNames(): void {
    this.source("names").setData({ type: "FeatureCollection", features: [...this.zoneNames, ...this.regionNames] });
  }

  /** Plans may be others after the server was started again. */
  private showPlans(): void {
    if (!this.loaded) return;
    for (const layer of this.plans.flatMap(planLayers)) this.chart.removeLayer(layer.id);
    for (const plan of this.plans) this.chart.removeSource(planLayer(plan));
    this.plans = this.store.plans;
    for (const plan of this.plans) {
      this.chart.addSource(planLayer(plan), planSource(plan));
      for (const layer of planLayers(plan)) this.chart.addLayer(layer, PLANS_BELOW);
    }
    this.showLayers();
  }

  private showLayers(): void {
    if (!this.loaded) return;
    for (const plan of this.plans) {
      for (const { id } of planLayers(plan)) this.chart.setLayoutProperty(id, "visibility", this.store.shows(planLayer(plan)) ? "visible" : "none");
    }
    for (const [layer, ids] of Object.entries(LAYERS_OF)) {
      const visibility = this.store.shows(layer as Layer) ? "visible" : "none";
      for (const id of ids) this.chart.setLayoutProperty(id, "visibility", visibility);
    }
  }

  private source(id: string): GeoJSONSource {
    return this.chart.getSource(id) as GeoJSONSource;
  }
}

function circle(latitude: number, longitude: number, radiusM: number, properties: Record<string, unknown>): GeoJSON.Feature<GeoJSON.Polygon> {
  const ring: [number, number][] = [];
  for (let i = 0; i <= 72; i++) {
    const a = (i / 72) * 2 * Math.PI;
    const north = (radiusM * Math.cos(a)) / 111_320;
    const east = (radiusM * Math.sin(a)) / (111_320 * Math.cos(((latitude + north / 2) * Math.PI) / 180));
    ring.push([longitude + east, latitude + north]);
  }
  return { type: "Feature", properties, geometry: { type: "Polygon", coordinates: [ring] } };
}

/** A name at the northern (1) or southern (-1) end of a ring. */
function edgeName(ring: GeoJSON.Position[], end: 1 | -1, properties: Record<string, unknown>): GeoJSON.Feature {
  const point = ring.reduce((best, p) => ((p[1]! - best[1]!) * end > 0 ? p : best));
  return { type: "Feature", properties, geometry: { type: "Point", coordinates: point } };
}
