// Orders to a SAPIENT sensor, under its entry in the list of feeds: where to look, which region, which mode. Only what the node
// said it can do and what is about watching; the server checks again, writes it down with a name, and refuses the rest.

import { NAME } from "./acts";
import { $, h, say } from "./dom";
import type { Stage } from "./view";

export interface Able { feed: string; node: string; name: string; state: string; modes: string[]; commands: { command: string; units: string }[]; regions: string[] }
type Fields = Record<string, HTMLInputElement | HTMLSelectElement>;

const field = (label: string, input: HTMLElement): HTMLElement => h("label", {}, `${label} `, input);
const number = (label: string): HTMLInputElement => h("input", { type: "number", step: "any", "aria-label": label });
const select = (label: string, values: string[]): HTMLSelectElement =>
  h("select", { "aria-label": label }, ...values.map((v) => h("option", { value: v }, v.replaceAll("_", " "))));

/** What can be ordered of a node here, in words of the server. */
export function orders(n: Able): string[] {
  const can = (name: string): boolean => n.commands.some((c) => c.command.toUpperCase().replaceAll(" ", "_").includes(name));
  return [
    ...(can("LOOK_AT") ? ["look_at"] : []), ...(n.regions.length ? ["region"] : []), ...(n.modes.length ? ["mode_change"] : []), "request",
  ];
}

/** Whether orders are offered to who looks: to who may manage, and where nobody logs in. */
export const mayOrder = (): boolean => ["", "manage", undefined].includes(document.body.dataset["role"]);

/** One form per node, kept while it is the same: the list around it is drawn anew every second. */
export class Orders {
  private readonly forms = new Map<string, { able: string; box: HTMLElement }>();

  constructor(private readonly stage: Stage, private readonly given: () => void) {}

  of(n: Able): HTMLElement | null {
    const able = JSON.stringify([n.state, n.modes, n.commands, n.regions]);
    const known = this.forms.get(`${n.feed} ${n.node}`);
    if (!mayOrder() || n.state !== "connected") return null;
    if (known?.able === able) return known.box;
    const box = this.make(n);
    this.forms.set(`${n.feed} ${n.node}`, { able, box });
    return box;
  }

  private make(n: Able): HTMLElement {
    const what = select("What to order", orders(n));
    const fields: Fields = {
      mode: select("Mode", n.modes), region: select("Kind of region", n.regions), request: select("Request", ["Status", "Registration", "Start", "Stop", "Reset"]),
      latitude: number("Latitude, degrees"), longitude: number("Longitude, degrees"),
      corners: h("input", { type: "text", "aria-label": "Corners: latitude,longitude, a space between", placeholder: "47.0,8.0 47.1,8.0 47.0,8.1", maxlength: 2000 }),
      note: h("input", { type: "text", "aria-label": "Why", placeholder: "Why", maxlength: 1000 }),
    };
    const middle = h("button", { type: "button", click: () => this.fill(what.value, fields) }, "From the map");
    const told = h("p", { role: "status" });
    const parts: Record<string, HTMLElement> = {
      look_at: h("span", {}, field("Latitude", fields["latitude"]!), field("Longitude", fields["longitude"]!)),
      region: h("span", {}, field("Region", fields["region"]!), field("Corners", fields["corners"]!)),
      mode_change: h("span", {}, field("Mode", fields["mode"]!)), request: h("span", {}, field("Ask for", fields["request"]!)),
    };
    const shown = (): void => {
      for (const [name, part] of Object.entries(parts)) part.hidden = name !== what.value;
      middle.hidden = what.value !== "look_at" && what.value !== "region";
    };
    what.addEventListener("change", shown);
    shown();
    const form = h("form", { submit: (event) => { event.preventDefault(); void this.send(n, what.value, fields, told); } },
      field("Order", what), ...Object.values(parts), middle, field("Why", fields["note"]!), h("button", { type: "submit" }, "Order"));
    return h("details", { class: "order" }, h("summary", {}, `Order something of ${n.name || n.node}`), form, told);
  }

  /** The middle of the map to look at; the map's middle half as a region. */
  private fill(what: string, fields: Fields): void {
    const { latitude, longitude } = this.stage.centre;
    if (what === "look_at") {
      fields["latitude"]!.value = latitude.toFixed(5);
      fields["longitude"]!.value = longitude.toFixed(5);
      return;
    }
    const { width, height, worldPx } = this.stage.view();
    const east = (90 * width) / worldPx; // a quarter of what is shown to either side
    const north = (90 * height * Math.cos((latitude * Math.PI) / 180)) / worldPx;
    const at = (a: number, b: number): string => `${(latitude + a * north).toFixed(5)},${(longitude + b * east).toFixed(5)}`;
    fields["corners"]!.value = [at(-1, -1), at(-1, 1), at(1, 1), at(1, -1)].join(" ");
  }

  private async send(n: Able, task: string, fields: Fields, told: HTMLElement): Promise<void> {
    const value = (name: string): string => fields[name]!.value.trim();
    const who = $<HTMLInputElement>("who").value.trim() || localStorage.getItem(NAME) || "";
    const corners = value("corners").split(/\s+/).filter(Boolean).map((pair) => pair.split(",").map(Number));
    const more: Record<string, unknown> =
      task === "look_at" ? { latitude_deg: Number(value("latitude")), longitude_deg: Number(value("longitude")) }
      : task === "region" ? { value: value("region"), corners } : { value: value(task === "request" ? "request" : "mode") };
    if (task === "look_at" && (!value("latitude") || !value("longitude"))) return say(told, "NOT ordered: say where to look.");
    if (!who) return say(told, "NOT ordered: say who you are first, above the alarms.");
    try {
      const answer = await fetch("/v1/tasks", {
        method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ feed: n.feed, node: n.node, name: who, note: value("note"), task, ...more }),
      });
      const reply = (await answer.json()) as { error?: string; task_id?: string };
      if (!answer.ok) throw new Error(reply.error ?? answer.statusText);
      say(told, `Ordered and written down as ${reply.task_id}. The sensor's answer comes in the list of tasks.`);
      $("list").focus(); // the list is drawn anew only while nobody is in a form
      this.given();
    } catch (error) {
      say(told, `NOT ordered: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
