// What is known of the selected track or claim.

import { $, h, seldom } from "./dom";
import { ask, frameLink } from "./evidence";
import { nameOf } from "./labels";
import { claimKey, heardBy } from "./lists";
import { SeenBy } from "./seen";
import { linesOfOther } from "./others";
import type { Store } from "./store";
import { col, HEIGHT_UNKNOWN, type Table } from "./wire";
import { Why } from "./why";
import { CONDITIONS, NO_TRACK, SOURCES, STATUSES, age, degrees, kindOf, latlon, msOf, nameAddress, utc, type Alarm } from "./words";

const KNOT = 1.943844;
const FOOT = 3.28084;
const DOUBTS = ["jump", "beyond horizon", "single", "stale", "dead reckoned"];
type Line = [string, ...(Node | string)[]];

export class Detail {
  private readonly title = h("h2");
  private readonly kind = h("p", { class: "kind" });
  private readonly list = h("dl");
  private readonly proof = h("p", { class: "frames" });
  private readonly reasons: Why;
  private readonly seenBy: SeenBy;

  private readonly evidence = h("button", { type: "button", class: "quiet", click: () => void this.prove() }, "Show evidence");
  private readonly past = h("button", { type: "button", class: "quiet", click: () => this.before() });

  constructor(private readonly store: Store, private readonly replayFrom: (ms: number) => void) {
    this.reasons = new Why(store, replayFrom);
    this.seenBy = new SeenBy(store, () => this.draw());
    const close = h("button", { type: "button", "aria-label": "Close", title: "Close (Esc)", click: () => store.select("") }, "×");
    $("detail").replaceChildren(this.title, close, this.kind, this.list, h("p", { class: "doings" }, this.evidence, this.past), this.proof, this.reasons.box);
    store.on("select", () => {
      this.proof.replaceChildren();
      this.draw();
    });
    store.on("picture", seldom(450, () => this.draw()));
  }

  /** To the panel, where something is selected. */
  focus(): void {
    if (!$("detail").hidden) $("detail").querySelector<HTMLElement>("button")!.focus();
  }
  /** To the reasons of the selected track, opened. */
  why(): void {
    const { box } = this.reasons;
    if ($("detail").hidden || box.hidden) return;
    box.open = true;
    box.querySelector("summary")!.focus();
  }

  private draw(): void {
    const key = this.store.selected;
    $("detail").hidden = !key;
    if (!key || !this.store.picture) return;
    this.title.textContent = nameOf(this.store, key);
    const elsewhere = key.startsWith("o");
    this.evidence.hidden = this.store.replaying || elsewhere; // it is of the live picture
    this.past.hidden = !this.store.canReplay || elsewhere;
    this.past.textContent = this.alarm() ? "Show from 60 s before its alarm" : "Show its last 60 s";
    const lines = elsewhere ? this.other(key) : key.startsWith("t") ? this.track(Number(key.slice(1))) : this.claim(key.slice(1));
    const doors = (): HTMLElement[] => [...this.list.querySelectorAll<HTMLElement>("a, button")];
    const at = doors().indexOf(document.activeElement as HTMLElement);
    this.list.replaceChildren(...lines.map(([name, ...value]) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value))));
    if (at >= 0) (doors()[at] ?? this.title.nextElementSibling as HTMLElement).focus(); // drawn anew under the fingers
  }

  private other(key: string): Line[] {
    const told = linesOfOther(key);
    this.kind.textContent = told.kind;
    return told.lines;
  }

  private track(id: number): Line[] {
    const row = this.store.trackRow.get(id);
    const t = this.store.picture!.tracks;
    if (row === undefined) {
      this.kind.textContent = "Track, no longer in the picture";
      return [];
    }
    this.kind.textContent = `Track from sensors, ${STATUSES[col(t, "status")[row]!] ?? ""}`;
    const claims = this.store.claimsOfTrack.get(id) ?? [];
    return [
      ["Exists", `${(100 * col(t, "existence")[row]!).toFixed(0)} %`],
      ["Kind", kindOf(col(t, "kind")[row]!)],
      ...moves(t, row),
      ["Last seen", age(col(t, "age")[row]!)],
      ["Seen by", this.seenBy.words(id)],
      ["Claims", ...(claims.length ? claims.map((r) => this.jump(claimKey(this.store, r))) : ["nobody claims to be this"])],
    ];
  }

  private claim(key: string): Line[] {
    const row = this.store.claimRow.get(key);
    const t = this.store.picture!.claims;
    if (row === undefined) {
      this.kind.textContent = "Claim, no longer heard";
      return [];
    }
    const [book, address] = key.split(":").map(Number) as [number, number];
    const condition = CONDITIONS[col(t, "condition")[row]!] ?? "?";
    const track = col(t, "track")[row]!;
    const reason = this.store.reasons[key];
    const doubt = DOUBTS.filter((_, bit) => col(t, "doubt")[row]! & (1 << bit)).join(", ");
    this.kind.textContent = track === NO_TRACK ? "Claim, not verified by a sensor" : "Claim, a sensor's track agrees";
    const category = (name: string): string => (col(t, name)[row]! === 255 ? "–" : String(col(t, name)[row]!));
    return [
      ["Says it is", `${SOURCES[col(t, "source")[row]!] ?? "?"} ${nameAddress(address, book)}`],
      ["Navigation", h("b", { class: `is-${condition}` }, condition), reason ? ` since ${utc(msOf(reason.since_ns))} UTC` : ""],
      ...(reason?.reason ? [["Because", reason.reason, " ", frameLink(reason.frame)] as Line] : []),
      ...(col(t, "placed")[row]! ? moves(t, row) : [["Position", heardBy(this.store, key) || "has not said where it is"] as Line]),
      ...this.person(key),
      ["NIC, NACp", `${category("nic")}, ${category("nac_p")}`],
      ...(doubt ? [["Doubt", doubt] as Line] : []),
      ["Position age", age(col(t, "age")[row]!)],
      ["Last heard", age(col(t, "heard")[row]!)],
      ["Track", track === NO_TRACK ? "none agrees" : this.jump(`t${track}`)],
    ];
  }

  /** Where the person who flies it says to be. Personal data: the server forgets it soon. */
  private person(key: string): Line[] {
    const said = this.store.remote[key]?.person;
    if (!said) return [];
    const height = said.height_ellipsoid_m === null ? "" : `, ${said.height_ellipsoid_m.toFixed(0)} m`;
    const told = age(Math.max(0, (this.store.nowMs - msOf(said.said_ns)) / 1000));
    return [["Flown from", `${latlon(said.latitude_deg, said.longitude_deg)}${height}`, h("small", {}, `${said.kind ?? "kind not said"}, said ${told} ago`)]];
  }

  /** The alarm about what is selected, the latest raised. */
  private alarm(): Alarm | undefined {
    const mine = this.store.alarms.filter((a) => this.store.keyOf(a) === this.store.selected);
    return mine.sort((a, b) => msOf(b.raised_ns) - msOf(a.raised_ns))[0];
  }
  private before(): void {
    const alarm = this.alarm();
    this.replayFrom((alarm ? msOf(alarm.raised_ns) : this.store.nowMs) - 60_000);
  }

  private jump(key: string): HTMLButtonElement {
    return h("button", { type: "button", class: "jump", click: () => this.store.select(key) }, nameOf(this.store, key));
  }

  private async prove(): Promise<void> {
    const key = this.store.selected;
    try {
      const seq = key.startsWith("t")
        ? (await ask<{ tracks: { track_id: number; frame_seq: number }[] }>("/v1/tracks")).tracks.find((t) => t.track_id === Number(key.slice(1)))?.frame_seq
        : (await ask<{ claims: { key: string; frame_seq: number }[] }>("/v1/claims")).claims.find((c) => c.key === key.slice(1))?.frame_seq;
      if (this.store.selected !== key) return;
      this.proof.replaceChildren(...(seq === undefined ? ["No evidence: it has left the picture."] : ["Last frame: ", frameLink(seq)]));
    } catch (error) {
      this.proof.replaceChildren(error instanceof Error ? error.message : String(error));
    }
  }
}

function moves(t: Table, row: number): Line[] {
  const of = (name: string): number => col(t, name)[row]!;
  return [
    of("height") === HEIGHT_UNKNOWN
      ? ["Height", "not measured"]
      : ["Height", `${of("height").toFixed(0)} m`, h("small", {}, `${(of("height") * FOOT).toFixed(0)} ft`)],
    ["Speed", `${of("speed").toFixed(1)} m/s`, h("small", {}, `${(of("speed") * KNOT).toFixed(0)} kt`)],
    ["Course", degrees(of("course"))],
    ["Climb", `${of("climb") >= 0 ? "+" : "−"}${Math.abs(of("climb")).toFixed(1)} m/s`],
    ["Position", latlon(of("latitude"), of("longitude"))],
    ["1-sigma", `${of("major").toFixed(0)} × ${of("minor").toFixed(0)} m`],
  ];
}
