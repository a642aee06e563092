// What every symbol means, which layers are shown, and the keys.

import { $, drawing, h } from "./dom";
import { keepLayers } from "./hash";
import { keyList, type Key } from "./keys";
import { planLayer } from "./plans";
import { LAYERS, type FixedLayer, type Layer, type Store } from "./store";
import { SILHOUETTES, SURE, keepSymbols, setSymbols, symbols, type SymbolSet } from "./symbols";
import { keep, setTheme, theme } from "./theme";

const DART = "M12 3 18 19 12 16 6 19z";
const line = (d: string, c: string): Record<string, string> => ({ d, fill: "none", stroke: `var(--${c})`, "stroke-width": "1.8" });
const solid = (d: string, c: string): Record<string, string> => ({ d, fill: `var(--${c})` });
const ring = "M12 7a6 6 0 1 0 .01 0M12 7V2";

const SYMBOLS: [string, Record<string, string>[]][] = [
  ["Track, nobody claims it", [solid(DART, "mark-track")]],
  ["Track, a claim agrees", [solid(DART, "mark-agreed")]],
  ["Track coasting (not seen lately)", [line(DART, "mark-track")]],
  ["Track tentative", [solid("M12 8a4 4 0 1 0 .01 0", "mark-tentative")]],
  ["Direction alone: one sigma to either side, up to the sensor's reach", [line("M4 21 12 3M4 21 20 9M12 3Q17 5 20 9", "mark-tentative")]],
  ["Claim: aircraft", [line(ring, "mark-ok")]],
  ["Claim: ship", [line("M12 3 17 12 12 21 7 12z", "mark-ok")]],
  ["Claim: drone (Remote ID)", [line("M7 8h10v10H7zM12 8V3", "mark-ok")]],
  ["Remote ID, place unknown: ring around the receiver that heard it", [{ ...line("M12 3a9 9 0 1 0 .01 0", "mark-unknown"), "stroke-dasharray": "5 3" }]],
  ["Person who flies, as the drone says", [line("M12 4a3.2 3.2 0 1 0 .01 0M5 20a7 7 0 0 1 14 0", "mark-ok")]],
  ["Navigation degraded", [line(ring, "mark-degraded"), { ...line("M12 2a10 10 0 1 0 .01 0", "mark-degraded"), "stroke-dasharray": "5 4" }]],
  ["Navigation lost", [line(ring, "mark-lost"), line("M5 5 19 19M5 19 19 5", "mark-lost")]],
  ["Claim contradicted", [line(ring, "mark-inconsistent"), line("M12 1 23 20H1z", "mark-inconsistent")]],
  ["Likely source of interference (50, 90 %)", [{ ...line("M5 7h12v10H5z", "map-source"), "fill-opacity": "0.2" }]],
  ["Last good position", [{ ...line("M3 20 21 4", "mark-lost"), "stroke-dasharray": "4 3" }]],
];
const NAMES: Record<FixedLayer, string> = {
  tracks: "Tracks", claims: "Claims", trails: "Trails", ellipses: "1-sigma ellipses", labels: "Labels", zones: "Zones",
  sensors: "Sensors and reach", regions: "GNSS interference", cells: "GNSS by cell and time", unseen: "What could be here unseen", coverage: "Coverage, measured", airfields: "Airfields",
};
export function drawLegend(store: Store, keys: Key[]): void {
  const box = (layer: Layer, name: string): HTMLElement =>
    h("label", {}, h("input", { type: "checkbox", checked: store.shows(layer), "data-layer": layer, change: (e) => {
      store.toggle(layer, (e.target as HTMLInputElement).checked);
      keepLayers(store);
    } }), name);
  const plans = h("fieldset", { id: "plan-layers", hidden: true });
  store.on("plans", () => {
    plans.hidden = !store.plans.length;
    plans.replaceChildren(h("legend", {}, "Plans of this site"), ...store.plans.map((p) => box(planLayer(p), p.name)));
  });
  store.on("layers", () => { // an address may have said so
    for (const input of $("legend-body").querySelectorAll<HTMLInputElement>("[data-layer]")) input.checked = store.shows(input.dataset["layer"] as Layer);
    const set = document.getElementById("symbols") as HTMLSelectElement | null;
    if (set) set.value = symbols();
  });
  store.on("theme", () => {
    const light = document.getElementById("light") as HTMLInputElement | null;
    if (light) light.checked = theme() === "light";
  });
  $("legend-body").replaceChildren(
    h("ul", {}, ...SYMBOLS.map(([name, parts]) => h("li", {}, drawing(parts), name))),
    h("p", { id: "kinds" }, `Track that is probably (${100 * SURE} % or more): `, ...SILHOUETTES.map(([kind, d]) =>
      h("span", {}, drawing([{ ...line(d, "mark-track"), transform: "scale(0.375)", "stroke-width": "6" }]), kind))),
    h("fieldset", {}, h("legend", {}, "Layers"), ...LAYERS.map((layer) => box(layer, NAMES[layer]))),
    plans,
    h("label", {}, h("input", { type: "checkbox", id: "light", checked: theme() === "light", change: (e) => choose(store, (e.target as HTMLInputElement).checked) }), "Light theme (for bright rooms)"),
    h("label", {}, "Symbols ", h("select", { id: "symbols", change: (e) => chooseSymbols(store, (e.target as HTMLSelectElement).value) },
      ...[["civil", "civil"], ["app6", "APP-6 (unknown, pending, neutral)"]].map(([value, name]) => h("option", { value: value!, selected: value === symbols() }, name!)))),
    h("p", {}, "With APP-6, frames say what is known: dotted pending (tentative), cloud unknown (nobody claims it), square neutral (a claim). No symbol says friend or foe."),
    keyList(keys),
    h("p", {}, "It watches and warns. A claim is what something says of itself; it is not a fact until a sensor agrees."),
  );
}

function chooseSymbols(store: Store, wanted: string): void {
  setSymbols(wanted as SymbolSet);
  keepSymbols(wanted as SymbolSet);
  store.emit("layers");
}

function choose(store: Store, light: boolean): void {
  const wanted = light ? "light" : "dark";
  setTheme(wanted);
  keep(wanted);
  store.emit("theme");
}
