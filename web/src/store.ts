// All that the page knows: the last picture, the lists that came as text, the trails, and what is selected.

import type { Plan } from "./plans";
import { whereOther } from "./others";
import { Trails } from "./trails";
import { mercatorX, mercatorY } from "./view";
import { decode, col, type Picture } from "./wire";
import { bookOf, type Act, type Alarm, type Feed, type LikelySource, type Output, type Reason, type Region, type RemoteSaid, type Sensor, type Site } from "./words";

export type Topic = "site" | "picture" | "alarms" | "acts" | "feeds" | "regions" | "names" | "link" | "select" | "layers" | "cells" | "unseen" | "coverage" | "plans" | "mode" | "replay" | "theme";
export type LinkState = "wait" | "live" | "stale" | "lost";
export const LAYERS = ["tracks", "claims", "trails", "ellipses", "labels", "zones", "sensors", "regions", "cells", "unseen", "coverage", "airfields"] as const;
export type FixedLayer = (typeof LAYERS)[number];
export type PlanLayer = `plan:${string}`; // the site's own, known once the server has told
export type Layer = FixedLayer | PlanLayer;

export type Message =
  | { type: "hello"; version: string; site: Site; replay?: boolean; offers?: string[]; plans?: Plan[] }
  | { type: "alarms"; alarms: Alarm[] }
  | { type: "acts"; acts: Record<string, Standing>; test?: Act }
  | { type: "feeds"; time_ns: string; feeds: Feed[] }
  | { type: "sensors"; sensors: Sensor[] }
  | { type: "outputs"; outputs: Output[] }
  | { type: "reasons"; reasons: Record<string, Reason> }
  | { type: "remote"; claims: Record<string, RemoteSaid>; left_out: number }
  | { type: "regions"; regions: Region[]; sources: LikelySource[] }
  | { type: "names"; names: Record<string, string>; gone: string[] };

/** What people did about an alarm and what still stands: the newest of each. */
export type Standing = Partial<Record<"acknowledge" | "shelve" | "note", Act>>;

export class Store {
  picture: Picture | null = null;
  replaying = false; // what is shown is of the past
  canReplay = false;
  version = ""; // of the server
  offers: ReadonlySet<string> = new Set(); // further lists that this server has
  pace = 1; // seconds of the picture in a second of now
  nowMs = 0; // time of the newest picture
  pictures = 0;
  arrivedMs = 0; // performance.now() of the last picture
  site: Site | null = null;
  alarms: Alarm[] = [];
  freshAlarms: Alarm[] = []; // those of the last message that were not known before
  acts: Record<string, Standing> | null = null; // null: this server takes no acts
  test: Act | null = null; // of the alarm outputs, while it is news
  feeds: Feed[] = [];
  feedsMs = 0;
  sensors: Sensor[] = [];
  outputs: Output[] = [];
  regions: Region[] = [];
  sources: LikelySource[] = [];
  cells: GeoJSON.Feature[] = []; // of the ten minutes chosen
  unseen: GeoJSON.Feature[] = []; // what could be here that nobody has seen
  coverage: GeoJSON.Feature[] = []; // how far sensors can see, and did
  plans: Plan[] = []; // maps of the site's own
  link: LinkState = "wait";
  selected = ""; // "t7" a track, "c0:7471234" a claim (address book, address), "" nothing
  readonly names = new Map<string, string>();
  reasons: Record<string, Reason> = {};
  remote: Record<string, RemoteSaid> = {}; // by claim: Remote ID beyond the picture
  readonly trackRow = new Map<number, number>();
  readonly claimRow = new Map<string, number>();
  readonly claimsOfTrack = new Map<number, number[]>();
  readonly alarmed = new Set<string>();
  readonly trails = new Trails();
  readonly hidden = new Set<Layer>();
  private readonly known = new Set<number>();
  alarmsSeen = false; // whether the server has told its alarms
  private readonly listeners = new Map<Topic, Set<() => void>>();

  on(topic: Topic, then: () => void): void {
    const set = this.listeners.get(topic) ?? new Set();
    set.add(then);
    this.listeners.set(topic, set);
  }
  emit(topic: Topic): void {
    for (const then of this.listeners.get(topic) ?? []) then();
  }

  shows(layer: Layer): boolean {
    return !this.hidden.has(layer);
  }
  toggle(layer: Layer, on: boolean): void {
    if (on) this.hidden.delete(layer);
    else this.hidden.add(layer);
    this.emit("layers");
  }
  select(key: string): void {
    if (key === this.selected) return;
    this.selected = key;
    this.emit("select");
  }
  setLink(state: LinkState): void {
    this.link = state;
    this.emit("link");
  }

  takePicture(buffer: ArrayBuffer): void {
    const picture = decode(buffer);
    this.picture = picture;
    this.nowMs = picture.timeMs;
    this.pictures += 1;
    this.arrivedMs = performance.now();
    this.trackRow.clear();
    this.claimRow.clear();
    this.claimsOfTrack.clear();
    const ids = col(picture.tracks, "id");
    for (let i = 0; i < picture.tracks.n; i++) this.trackRow.set(ids[i]!, i);
    const { claims } = picture;
    const [address, source, track] = [col(claims, "address"), col(claims, "source"), col(claims, "track")];
    for (let i = 0; i < claims.n; i++) {
      this.claimRow.set(`${bookOf(source[i]!)}:${address[i]!}`, i);
      const agreed = this.claimsOfTrack.get(track[i]!);
      if (agreed) agreed.push(i);
      else this.claimsOfTrack.set(track[i]!, [i]);
    }
    this.trails.add(picture);
    this.emit("picture");
  }

  /** Forget the picture and all that belongs to it: the next one is of another time. */
  reset(): void {
    this.picture = null;
    this.alarms = this.freshAlarms = [];
    this.alarmed.clear();
    this.known.clear();
    this.alarmsSeen = false;
    this.acts = null;
    this.outputs = [];
    this.remote = {};
    this.trails.of.clear();
    this.pace = 1;
  }

  take(message: Message): void {
    switch (message.type) {
      case "hello":
        this.site = message.site;
        this.names.clear(); // a new connection tells all names again
        this.acts = null;
        this.version = message.version;
        this.canReplay = message.replay ?? false;
        this.offers = new Set(message.offers ?? []);
        if (message.plans && JSON.stringify(message.plans) !== JSON.stringify(this.plans)) { // a replay does not tell
          this.plans = message.plans;
          this.emit("plans");
        }
        this.emit("site");
        break;
      case "alarms":
        this.takeAlarms(message.alarms);
        break;
      case "acts":
        this.acts = message.acts;
        this.test = message.test ?? null;
        this.emit("acts");
        break;
      case "feeds":
        this.feeds = message.feeds;
        this.feedsMs = Number(message.time_ns) / 1e6;
        this.emit("feeds");
        break;
      case "sensors":
        this.sensors = message.sensors;
        this.emit("feeds");
        break;
      case "outputs":
        this.outputs = message.outputs;
        this.emit("feeds");
        break;
      case "reasons":
        this.reasons = message.reasons;
        break;
      case "remote":
        this.remote = message.claims;
        break;
      case "regions":
        this.regions = message.regions;
        this.sources = message.sources ?? [];
        this.emit("regions");
        break;
      case "names":
        for (const [key, name] of Object.entries(message.names)) this.names.set(key, name);
        for (const key of message.gone) this.names.delete(key);
        this.emit("names");
        break;
    }
  }

  private takeAlarms(alarms: Alarm[]): void {
    this.alarms = alarms;
    this.freshAlarms = this.alarmsSeen ? alarms.filter((a) => !this.known.has(a.id) && a.state !== "cleared") : [];
    for (const a of alarms) this.known.add(a.id);
    this.alarmsSeen = true;
    this.alarmed.clear();
    for (const a of alarms) {
      if (a.state === "cleared") continue;
      if (a.subject === "track") this.alarmed.add(`t${a.subject_id}`);
      if (a.subject === "claim") this.alarmed.add(`a${a.subject_id}`);
    }
    this.emit("alarms");
  }

  /** An act of this page, before the server tells it to all. */
  takeAct(act: Act): void {
    const { [act.verb === "unshelve" ? "shelve" : act.verb]: _, ...rest } = (this.acts?.[act.alarm] ?? {}) as Record<string, Act>;
    this.acts = { ...this.acts, [act.alarm]: act.verb === "unshelve" ? rest : { ...rest, [act.verb]: act } };
    this.emit("acts");
  }

  /** Whether somebody put the alarm aside until later than now. */
  shelved(alarm: Alarm): boolean {
    const act = this.acts?.[alarm.id]?.shelve;
    return act !== undefined && Number(act.until_ns) / 1e6 > this.nowMs;
  }
  /** The alarms that still ask for somebody: standing, seen by nobody, not put aside; the most urgent first. */
  waiting(): Alarm[] {
    return this.alarms.filter((a) => a.state !== "cleared" && !this.acts?.[a.id]?.acknowledge && !this.shelved(a));
  }

  keyOf(alarm: Alarm): string {
    if (alarm.subject === "track") return `t${alarm.subject_id}`;
    if (alarm.subject !== "claim") return "";
    for (const key of this.claimRow.keys()) if (key.endsWith(`:${alarm.subject_id}`)) return `c${key}`;
    return "";
  }

  /** Where the site says that it is. */
  get origin(): { latitude: number; longitude: number } | null {
    const found = this.site?.features.find((f) => f.properties?.["kind"] === "origin")?.geometry;
    return found?.type === "Point" ? { latitude: found.coordinates[1]!, longitude: found.coordinates[0]! } : null;
  }

  /** The site on the Mercator square: what is near it is drawn to a fraction of a pixel. */
  get anchor(): { x: number; y: number } {
    const origin = this.site?.features.find((f) => f.properties?.["kind"] === "origin")?.geometry;
    if (origin?.type !== "Point") return { x: 0.5, y: 0.5 };
    return { x: mercatorX(origin.coordinates[0]!), y: mercatorY(origin.coordinates[1]!) };
  }

  /** Where the receiver of a feed stands, or null where the site does not say. */
  receiver(feed: string): { latitude: number; longitude: number } | null {
    const found = this.site?.features.find((f) => f.properties?.["kind"] === "receiver" && f.properties["name"] === feed);
    if (found?.geometry.type !== "Point") return null;
    return { latitude: found.geometry.coordinates[1]!, longitude: found.geometry.coordinates[0]! };
  }

  /** Where a selected thing is now, or the receiver that heard what has no place, or null. */
  where(key: string): { latitude: number; longitude: number } | null {
    if (key.startsWith("o")) return whereOther(key);
    if (!this.picture) return null;
    const table = key.startsWith("t") ? this.picture.tracks : this.picture.claims;
    const row = key.startsWith("t") ? this.trackRow.get(Number(key.slice(1))) : this.claimRow.get(key.slice(1));
    if (row === undefined) return null;
    if (key.startsWith("c") && !col(table, "placed")[row]) return this.receiver(this.remote[key.slice(1)]?.feed ?? "");
    return { latitude: col(table, "latitude")[row]!, longitude: col(table, "longitude")[row]! };
  }
}
