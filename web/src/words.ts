// The words of the server's JSON, and how numbers are said to a person.

export type Act = {
  act: number; at_ns: string; picture_ns: string; alarm: number; verb: string; name: string; note: string; until_ns: string;
};

export interface Alarm {
  id: number; rule: string; zone: string; subject: "track" | "claim" | "region" | "feed" | "sensor" | "zone" | "node"; subject_id: number;
  state: "raised" | "updated" | "cleared"; priority: "critical" | "high" | "medium" | "low";
  raised_ns: string; updated_ns: string; cleared_ns: string; latitude: number; longitude: number;
  reason: string; frames: number[]; frames_total: number;
}
export interface Feed {
  feed: string; frames: number; bytes: number; messages: number; faults: number; received_ns: string;
  rate_hz: number | null; delay_ms?: number | null; delay_ms_min?: number | null; quiet: boolean; link?: string; last_fault: string; last_fault_seq: number; last_fault_example: string;
}
/** Whether nothing can be seen by a feed now: silent too long, not connected, or never heard and nothing says that it could be. */
export const unheard = (f: Feed): boolean => f.quiet || (f.link ?? "").startsWith("lost") || (f.received_ns === "0" && f.link !== "connected");
export interface Output {
  output: string; kind: string; to: string; state: "waiting" | "fine" | "failing"; link: string;
  sent: number; failures: number; waiting: number; dropped: number; bytes: number; sent_ns: string;
}
export interface Sensor {
  sensor: string; time_ns: string; looks: number; shared: number;
  against: { sensor: string; looks: number; differences: Record<string, { value: number; sigma: number }> } | null;
  biases: Record<string, { value: number | null; sigma: number; applied: boolean; norm: number | null; moved_ns: string; outside_ns: string; tolerance: number | null }>;
}
export interface Reason { reason: string; since_ns: string; frame: number }
/** Of a Remote ID sender: who heard it while its place is unknown; where the person who flies says to be. */
export interface RemoteSaid {
  feed?: string;
  person?: { latitude_deg: number; longitude_deg: number; height_ellipsoid_m: number | null; kind: string | null; said_ns: string };
}
export interface Region {
  id: number; since_ns: string; updated_ns: string; latitude: number; longitude: number; radius_m: number;
  affected: number; exposed: number; p_value: number; ships: number; causes: Record<string, number>;
}
export interface LikelySource {
  region: number; updated_ns: string; unique: boolean; latitude: number; longitude: number; sigma_m: number;
  power_dbm: number; power_db_sigma: number; beam_deg: number; bearing_deg: number; fit_p: number;
  rings: { share: number; ring: [number, number][] }[];
}
export interface Site extends GeoJSON.FeatureCollection {
  name: string;
  feeds: { feed: string; decoder: string; transport: string; sensor: string }[];
}

export const SOURCES = ["ADS-B", "ADS-B other", "ADS-R", "TIS-B", "MLAT", "Mode S", "AIS", "AIS other", "Remote ID"];
export const CONDITIONS = ["ok", "degraded", "lost", "inconsistent", "unknown"];
export const STATUSES = ["tentative", "confirmed", "coasting"];
export const KINDS = ["unknown", "multirotor", "fixed-wing drone", "bird", "aircraft", "helicopter", "ship", "ground"];
/** The most probable kind and its probability, from their common byte. */
export const kindOf = (byte: number): string => (byte ? `${KINDS[byte >> 5]!}, ${Math.round((100 * (byte & 31)) / 31)} %` : "not judged");
export const NO_TRACK = 0xffffffff;
const NEVER_S = 6553.5;

// Okabe-Ito: told apart with every common colour vision. Shape and text always say the same thing again.
export type Rgb = readonly [number, number, number];
// The values are those of theme.css for the theme that is shown.
export const COLOUR: Record<"track" | "agreed" | "tentative" | "ok" | "degraded" | "lost" | "inconsistent" | "unknown", Rgb> = {
  track: [0.902, 0.624, 0.0], // orange: nobody claims to be this
  agreed: [0.337, 0.706, 0.914], // sky blue: a claim agrees
  tentative: [0.66, 0.7, 0.74],
  ok: [0.0, 0.74, 0.55], // bluish green, lightened for a dark map
  degraded: [0.941, 0.894, 0.259], // yellow
  lost: [0.87, 0.55, 0.72], // reddish purple, lightened
  inconsistent: [0.93, 0.42, 0.1], // vermillion, lightened
  unknown: [0.62, 0.66, 0.7],
};
const BY_CONDITION = ["ok", "degraded", "lost", "inconsistent", "unknown"] as const;
export const conditionColour = (code: number): Rgb => COLOUR[BY_CONDITION[code] ?? "unknown"];
export const css = (c: Rgb, alpha = 1): string => `rgb(${c.map((v) => Math.round(v * 255)).join(" ")} / ${alpha})`;

export const msOf = (ns: string): number => Number(ns) / 1e6;
/** Which address book a source uses: 0 aircraft, 1 ships, 2 Remote ID. A claim stays itself when its source changes. */
export const bookOf = (source: number): number => (source >= 8 ? 2 : source >= 6 ? 1 : 0);
export const nameAddress = (address: number, book: number): string =>
  book > 0 ? String(address) : address.toString(16).toUpperCase().padStart(6, "0");

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(s / 86400)} d`;
}
export const age = (s: number): string => (s >= NEVER_S ? "–" : s < 10 ? `${s.toFixed(1)} s` : duration(s));
/** The same in a narrow column. */
export const shortAge = (s: number): string => (s < 100 || s >= NEVER_S ? age(Math.min(s, NEVER_S)).replace(/^1 min (\d\d)/, (_, r) => String(60 + Number(r))) : `${Math.round(s / 60)} min`);
export const utc = (ms: number): string => new Date(ms).toISOString().slice(11, 19);
export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
export const degrees = (v: number): string => `${String(Math.round(v) % 360).padStart(3, "0")}°`;
export function latlon(latitude: number, longitude: number): string {
  return `${Math.abs(latitude).toFixed(5)}° ${latitude < 0 ? "S" : "N"}  ${Math.abs(longitude).toFixed(5)}° ${longitude < 0 ? "W" : "E"}`;
}
