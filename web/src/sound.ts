// Sound for live alarms that nobody has seen yet, whatever is shown. Browsers are silent until somebody clicks: that is said, loudly, until done.

import { $, say } from "./dom";
import { audible } from "./quiet";
import type { Store } from "./store";
import { mine } from "./zones";

// Per priority: beeps, their pitch, and seconds between repetitions (0: once, when the alarm is new). At most 3 a second.
const PATTERNS: Record<string, { beeps: number; hz: number; every_s: number }> = {
  critical: { beeps: 3, hz: 880, every_s: 3 },
  high: { beeps: 2, hz: 660, every_s: 8 },
  medium: { beeps: 1, hz: 520, every_s: 0 },
};
const BEEP_S = 0.16;
const GAP_S = 0.34;

export class Sound {
  private context: AudioContext | null = null;
  private nextMs = 0;
  beeps = 0; // how many were asked for; for tests

  constructor(private readonly store: Store) {
    $("sound").addEventListener("click", () => (this.context ? this.disarm() : this.arm()));
    store.on("alarms", () => this.news());
    setInterval(() => this.insist(), 500);
    this.show();
  }

  private arm(): void {
    this.context = new AudioContext();
    void this.context.resume();
    this.play("medium"); // so that the person hears that it works
    this.show();
  }
  private disarm(): void {
    void this.context?.close();
    this.context = null;
    this.show();
  }
  private show(): void {
    const armed = this.context !== null;
    $("sound").setAttribute("aria-pressed", String(armed));
    say($("sound"), armed ? "Sound on" : "Arm sound");
    $("muted").hidden = armed;
  }

  /** What a critical alarm sounds like, once. Silent unless armed. */
  test(): void {
    this.play("critical");
  }

  private news(): void {
    const fresh = this.store.freshAlarms.filter((a) => mine(a) && audible(a));
    for (const a of fresh) if (PATTERNS[a.priority]?.every_s === 0) this.play(a.priority);
    if (fresh.some((a) => PATTERNS[a.priority]?.every_s)) this.nextMs = 0;
    this.insist();
  }
  private insist(): void {
    const worst = this.store.waiting().find((a) => mine(a) && audible(a) && PATTERNS[a.priority]?.every_s);
    if (!worst || !this.context || performance.now() < this.nextMs) return;
    this.nextMs = performance.now() + 1000 * PATTERNS[worst.priority]!.every_s;
    this.play(worst.priority);
  }
  private play(priority: string): void {
    const pattern = PATTERNS[priority];
    if (!this.context || !pattern) return;
    const { context } = this;
    for (let i = 0; i < pattern.beeps; i++) {
      const begin = context.currentTime + 0.02 + i * GAP_S;
      const tone = new OscillatorNode(context, { frequency: pattern.hz, type: "triangle" });
      const level = new GainNode(context, { gain: 0 });
      level.gain.setValueAtTime(0, begin);
      level.gain.linearRampToValueAtTime(0.3, begin + 0.01);
      level.gain.linearRampToValueAtTime(0, begin + BEEP_S);
      tone.connect(level).connect(context.destination);
      tone.start(begin);
      tone.stop(begin + BEEP_S);
      this.beeps += 1;
    }
  }
}
