// Which sensors contribute to a track, the selected one or an alarm's: who has seen it in the last minute, and how long ago.

import { ask } from "./evidence";
import type { Store } from "./store";
import { duration, msOf } from "./words";

const PAST_MS = 60_000;

interface Answer { seen: { time_ns: string[]; sensor: (string | null)[] } }

export class SeenBy {
  private of = 0;
  private asked = -Infinity; // time of the picture for which it was asked
  private last: Map<string, number> | null = null; // by sensor, when it saw the track last; null: not known yet
  private known = -Infinity; // time of the picture up to which that is so

  constructor(private readonly store: Store, private readonly changed: () => void, private readonly againMs = 5_000) {}

  /** In words, of a track; what is not known yet is asked for. */
  words(track: number): string {
    if (track !== this.of) [this.of, this.last, this.asked] = [track, null, -Infinity];
    const now = this.store.nowMs;
    if (Math.abs(now - this.asked) > this.againMs) void this.ask(track, now);
    if (!this.last || now < this.known - 1000 || now > this.known + PAST_MS) return "…"; // of another time, as after a jump
    const rows = [...this.last].filter(([, ms]) => ms <= now + 1000).sort((a, b) => b[1] - a[1]);
    return rows.map(([sensor, ms]) => `${sensor} ${duration(Math.max((now - ms) / 1000, 0))} ago`).join(", ") || "none in the last minute";
  }

  private async ask(track: number, now: number): Promise<void> {
    this.asked = now;
    const until = BigInt(Math.ceil(now) + 1) * 1_000_000n;
    try {
      const { seen } = await ask<Answer>(`/v1/why?track=${track}&since_ns=${until - BigInt(PAST_MS) * 1_000_000n}&until_ns=${until}`);
      if (track !== this.of) return;
      this.known = now;
      this.last = new Map(seen.sensor.map((sensor, i) => [sensor ?? "forgotten", msOf(seen.time_ns[i]!)]));
      this.changed();
    } catch (error) {
      console.warn("who saw it is not known:", error);
    }
  }
}
