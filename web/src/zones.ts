// My zones: whose alarms sound here and come first. Others are never hidden; critical ones are everybody's. Kept per account, or in
// this browser where nobody logs in.

import { $, h, say } from "./dom";
import { keep, keptOf, whenKept } from "./kept";
import type { Store } from "./store";
import type { Alarm } from "./words";

const off = (): string[] => keptOf("zones_off") ?? [];

/** Whether an alarm is for who sits here. */
export const mine = (a: Alarm): boolean => !a.zone || a.priority === "critical" || !off().includes(a.zone);
/** Mine first; otherwise as they were. */
export const mineFirst = (alarms: Alarm[]): Alarm[] => [...alarms.filter(mine), ...alarms.filter((a) => !mine(a))];
/** Changes when the choice does. */
export const choice = (): string => [...off()].sort().join("\n");

/** The choice under the alarms; `changed` is called when it is another. */
export function drawZones(store: Store, changed: () => void): void {
  const names = (): string[] => (store.site?.features ?? []).filter((f) => f.properties?.["kind"] === "zone").map((f) => String(f.properties!["name"]));
  let shown = "";
  const draw = (): void => {
    const silent = names().filter((n) => off().includes(n));
    say($("my-zones-told"), silent.length ? `silent here: ${silent.join(", ")}` : "all");
    $("my-zones").toggleAttribute("data-some", silent.length > 0);
    $("my-zones").hidden = names().length === 0;
    if (shown !== JSON.stringify(names())) {
      shown = JSON.stringify(names());
      $("my-zones-list").replaceChildren(...names().map((name) => h("label", {}, h("input", { type: "checkbox", "data-zone": name, change: (e) => chosen(name, (e.target as HTMLInputElement).checked) }), name)));
    }
    for (const box of $("my-zones-list").querySelectorAll<HTMLInputElement>("input")) box.checked = !off().includes(box.dataset["zone"]!);
  };
  const chosen = (name: string, on: boolean): void => keep("zones_off", [...off().filter((n) => n !== name), ...(on ? [] : [name])]);
  store.on("site", draw);
  let before = choice();
  whenKept(() => {
    draw();
    if (choice() !== before) changed();
    before = choice();
  });
}
