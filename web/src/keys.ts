// The keys of the page: one table says what each does, and is shown by "?" and in the legend.

import { $, h } from "./dom";

export interface Key {
  keys: Record<string, () => void>; // by KeyboardEvent.key, letters small
  shown: string;
  what: string;
}

export const keyList = (table: Key[]): HTMLDListElement =>
  h("dl", { class: "keys" }, ...table.map(({ shown, what }) => h("div", {}, h("dt", {}, ...shown.split(" ").flatMap((k) => [h("kbd", {}, k), " "])), h("dd", {}, what))));

/** Shows the table; Escape or "?" closes. */
export function showKeys(table: Key[]): void {
  const dialog = $<HTMLDialogElement>("keys");
  const close = h("button", { type: "button", autofocus: true, click: () => dialog.close() }, "Close");
  dialog.replaceChildren(h("h2", { id: "keys-title" }, "Keys"), keyList(table),
    h("p", {}, "Tab goes from one thing to the next, Enter uses it. In a list, a slider or a panel the arrows scroll or move that."), close);
  dialog.showModal();
}

export function listen(table: Key[]): void {
  const acts = new Map(table.flatMap(({ keys }) => Object.entries(keys)));
  document.addEventListener("click", ({ target, detail }) => { // who clicks with a mouse means space to pause, not to click again
    if (detail > 0) (target as HTMLElement).closest<HTMLElement>("#timebar button, #replay-banner button, #to-replay, #sound")?.blur();
  });
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const open = document.querySelector<HTMLDialogElement>("dialog[open]");
    if (open) {
      if (open.id === "keys" && event.key === "?") open.close();
      return;
    }
    if ((event.key === " " || event.key === "Enter") && target.closest("button, summary, select, a")) return; // there it presses
    if (target.matches("input:not([type=range], [type=checkbox])")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === " " && target.matches("[type=checkbox]")) return;
    if (event.key.startsWith("Arrow") && target.closest("#panel, #legend, #cells, #coverage, #timebar, #detail")) return; // there they scroll
    const act = acts.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!act) return;
    event.preventDefault();
    act();
  });
}
