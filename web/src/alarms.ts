// The alarm list: what a person must know now, why, since when, and on which evidence.

import { Deeds } from "./acts";
import { $, PRIORITY, drawing, h, say } from "./dom";
import { frameLink } from "./evidence";
import { geodesic } from "./measure";
import { otherAlarms, othersKey } from "./others";
import { SeenBy } from "./seen";
import type { Store } from "./store";
import type { Stage } from "./view";
import { duration, msOf, unheard, utc, type Alarm } from "./words";
import { choice, mine, mineFirst } from "./zones";

const SEEN_MAX = 6; // alarms that the sensors are asked about
const SEEN_AGAIN_MS = 15_000;

export class AlarmList {
  private readonly seen = new Map<number, SeenBy>(); // by alarm
  private readonly open = new Set<number>();
  private shown = "";
  private readonly deeds: Deeds;

  constructor(private readonly store: Store, private readonly live: Store, private readonly stage: Stage, private readonly replayFrom: (ms: number) => void) {
    this.deeds = new Deeds(store, live);
    live.on("alarms", () => this.announce());
    store.on("alarms", () => this.draw());
    store.on("mode", () => {
      this.announce();
      this.draw(true);
    });
    store.on("acts", () => this.draw());
    store.on("picture", () => {
      this.draw(); // a shelf may have come to its end
      this.tickAges();
    });
    store.on("select", () => this.draw(true));
    this.draw();
  }

  private announce(): void {
    for (const a of this.live.freshAlarms.filter(mine)) {
      say($("announce"), `${this.store.replaying ? "Live: " : ""}${a.priority} alarm: ${a.rule}${a.zone ? `, zone ${a.zone}` : ""}. ${a.reason}`);
    }
    const standing = this.live.alarms.filter((a) => a.state !== "cleared").length;
    document.title = `${this.store.replaying ? "REPLAY " : ""}${standing ? `(${standing}) ` : ""}Lapwing`;
  }

  private draw(force = false): void {
    const alarms = mineFirst(this.store.alarms);
    const standing = alarms.filter((a) => a.state !== "cleared" && !this.store.shelved(a));
    say($("alarms-count"), String(standing.length));
    $("alarms").dataset["worst"] = standing[0]?.priority ?? "none";
    // Rows are rebuilt only when what they say changes, so that a click never lands on a row that just moved.
    const silent = this.store.feeds.filter(unheard).length;
    const key = (this.store.acts ? "acts" : "") + silent + othersKey() + choice() + JSON.stringify(alarms.map((a) => [a.id, a.state, a.priority, a.reason, a.frames_total, this.store.acts?.[a.id], this.store.shelved(a)]));
    if (key === this.shown && !force) return;
    this.shown = key;
    const notes = [...document.querySelectorAll<HTMLInputElement>("[data-note]")].filter((n) => n.value || n === document.activeElement);
    const typing = document.activeElement as HTMLInputElement | null;
    const at = typing?.dataset["note"] ? [typing.selectionStart, typing.selectionEnd] as const : null;
    const back = wayBack(typing);
    $("alarm-list").replaceChildren(...(alarms.length ? alarms.flatMap((a, i) => (!mine(a) && (i === 0 || mine(alarms[i - 1]!)) ? [h("li", { class: "others" }, "Of other zones: silent here"), this.row(a)] : [this.row(a)])) : [h("li", { class: "none" }, silent ? `No alarms, but ${silent} of ${this.store.feeds.length} feeds say nothing: not all is seen.` : "No alarms. All quiet.")]), ...otherAlarms(this.store, this.stage));
    for (const old of notes) { // what somebody is typing is not taken from under the fingers
      const now = document.querySelector<HTMLInputElement>(`[data-note="${old.dataset["note"]}"]`);
      if (!now) continue;
      now.value = old.value;
      if (old === typing && at) {
        now.focus();
        now.setSelectionRange(...at);
      }
    }
    if (back && !document.activeElement?.closest("#alarm-list")) back();
    this.tickAges();
  }

  private row(a: Alarm): HTMLLIElement {
    const mark = PRIORITY[a.priority] ?? PRIORITY["low"]!;
    const fresh = this.store.freshAlarms.some((f) => f.id === a.id);
    const key = this.store.keyOf(a);
    const why = h("details", { open: this.open.has(a.id), toggle: (e) => { if ((e.target as HTMLDetailsElement).open) this.open.add(a.id); else this.open.delete(a.id); } },
      h("summary", {}, a.frames_total ? `Why: ${a.frames_total} frame${a.frames_total > 1 ? "s" : ""} of evidence` : "Why"),
      h("p", {}, `Raised ${utc(msOf(a.raised_ns))} UTC, updated ${utc(msOf(a.updated_ns))} UTC.`),
      this.store.canReplay && h("p", {}, h("button", { type: "button", class: "jump", "data-before": a.id, click: () => this.before(a) }, "Show from 60 s before")),
      h("p", { class: "frames" }, ...a.frames.map(frameLink), a.frames_total > a.frames.length ? ` and ${a.frames_total - a.frames.length} more` : ""),
    );
    const aside = this.store.shelved(a) ? " shelved" : this.store.acts?.[a.id]?.acknowledge ? " seen" : "";
    return h("li", { class: `alarm ${a.state}${fresh ? " fresh" : ""}${aside}`, "data-priority": a.priority, "aria-current": key !== "" && key === this.store.selected },
      h("button", { type: "button", "data-alarm": a.id, click: () => this.go(a) },
        drawing([{ d: mark.path, fill: a.state === "cleared" ? "none" : mark.colour, stroke: mark.colour, "stroke-width": "2" }]),
        h("span", { class: "head" },
          h("b", {}, a.priority), h("span", { class: "rule" }, a.rule), a.zone && h("span", { class: "zone" }, a.zone)),
        h("span", { class: "since", "data-raised": String(msOf(a.state === "cleared" ? a.cleared_ns : a.raised_ns)) }),
        h("span", { class: "reason" }, a.reason, " ", h("span", { class: "from-site", "data-where": a.id }), " ", h("span", { class: "seen-by", "data-seen-by": a.id })),
        h("span", { class: "state" }, a.state),
      ),
      this.deeds.line(a),
      why,
    );
  }

  private tickAges(): void {
    const now = this.store.picture?.timeMs ?? 0;
    for (const e of document.querySelectorAll<HTMLElement>("#alarm-list .since")) {
      say(e, duration((now - Number(e.dataset["raised"])) / 1000));
    }
    this.tickPlaces();
    this.tickSeen();
  }

  /** Which sensors see the track of an alarm that stands, for the most urgent ones. */
  private tickSeen(): void {
    if (!this.store.nowMs) return; // no picture yet
    const tracks = mineFirst(this.store.alarms).filter((a) => a.subject === "track" && a.state !== "cleared").slice(0, SEEN_MAX);
    for (const id of this.seen.keys()) if (!tracks.some((a) => a.id === id)) this.seen.delete(id);
    for (const a of tracks) {
      const by = this.seen.get(a.id) ?? new SeenBy(this.store, () => undefined, SEEN_AGAIN_MS);
      this.seen.set(a.id, by);
      const words = by.words(Number(a.subject_id));
      const shown = document.querySelector(`#alarm-list [data-seen-by="${a.id}"]`);
      if (shown) say(shown, words === "…" ? "" : `Sensors: ${words}.`);
    }
  }

  /** How far and in which direction from the site: of its subject now, or where it was raised. */
  private tickPlaces(): void {
    const site = this.store.origin;
    const alarms = new Map(this.store.alarms.map((a) => [String(a.id), a]));
    for (const e of document.querySelectorAll<HTMLElement>("#alarm-list [data-where]")) {
      const a = alarms.get(e.dataset["where"]!);
      if (!a || !site || a.subject === "feed") continue;
      const key = a.state === "cleared" ? "" : this.store.keyOf(a);
      const found = geodesic(site, (key && this.store.where(key)) || a);
      if (found) say(e, `${(found.metres / 1000).toFixed(1)} km from the site, bearing ${String(Math.round(found.there) % 360).padStart(3, "0")}°. `);
    }
  }

  private before(a: Alarm): void {
    const key = this.store.keyOf(a);
    if (key) this.store.select(key);
    this.replayFrom(msOf(a.raised_ns) - 60_000);
  }

  private go(a: Alarm): void {
    const key = this.store.keyOf(a);
    if (a.subject === "feed") {
      $("tab-feeds").click();
      return;
    }
    if (key) this.store.select(key);
    const at = (key && this.store.where(key)) || a;
    this.stage.flyTo(at.latitude, at.longitude, a.subject === "region" ? 10 : undefined);
  }
}

/** Gives the focus back to what had it in an alarm, after the list was drawn anew; to the alarm where that is gone. */
function wayBack(focused: HTMLElement | null): (() => void) | null {
  const alarm = focused?.closest(".alarm")?.querySelector<HTMLElement>("[data-alarm]")?.dataset["alarm"];
  if (!focused || !alarm) return null;
  const label = focused.getAttribute("aria-label");
  const named = (it: HTMLElement, what: string): boolean => it.matches(what);
  const which = label ? `[aria-label="${CSS.escape(label)}"]` : named(focused, "summary") ? "summary" : named(focused, "a") ? `a[href="${focused.getAttribute("href")}"]` : focused.dataset["before"] ? "[data-before]" : "[data-alarm]";
  return () => {
    const now = document.querySelector<HTMLElement>(`[data-alarm="${alarm}"]`);
    (now?.closest(".alarm")?.querySelector<HTMLElement>(which) ?? now)?.focus();
  };
}
