// My zones: whose alarms sound in this browser and come first. Others are never hidden; critical ones are everybody's.

import { $, h, say } from "./dom";
import type { Store } from "./store";
import type { Alarm } from "./words";

const KEY = "lapwing.zones.off";
const off = new Set<string>(kept());

function kept(): string[] {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(names) ? names.filter((n): n is string => typeof n === "string") : [];
  } catch {
    return []; // somebody else's word under our name
  }
}

/** Whether an alarm is for who sits here. */
export const mine = (a: Alarm): boolean => !a.zone || a.priority === "critical" || !off.has(a.zone);
/** Mine first; otherwise as they were. */
export const mineFirst = (alarms: Alarm[]): Alarm[] => [...alarms.filter(mine), ...alarms.filter((a) => !mine(a))];
/** Changes when the choice does. */
export const choice = (): string => [...off].sort().join("\n");

/** The choice under the alarms; `changed` is called when it is another. */
export function drawZones(store: Store, changed: () => void): void {
  const names = (): string[] => (store.site?.features ?? []).filter((f) => f.properties?.["kind"] === "zone").map((f) => String(f.properties!["name"]));
  const told = (): void => {
    const silent = names().filter((n) => off.has(n));
    say($("my-zones-told"), silent.length ? `silent here: ${silent.join(", ")}` : "all");
    $("my-zones").toggleAttribute("data-some", silent.length > 0);
  };
  store.on("site", () => {
    $("my-zones").hidden = names().length === 0;
    $("my-zones-list").replaceChildren(...names().map((name) => {
      const box = h("input", { type: "checkbox" });
      box.checked = !off.has(name);
      box.addEventListener("change", () => {
        if (box.checked) off.delete(name);
        else off.add(name);
        localStorage.setItem(KEY, JSON.stringify([...off]));
        told();
        changed();
      });
      return h("label", {}, box, name);
    }));
    told();
  });
}
