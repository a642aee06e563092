// While you were away: alarms that were raised while nobody looked at this page, until somebody says "seen". Nobody is: no page of
// this account anywhere, or none in this browser where nobody logs in.

import { $, PRIORITY, drawing, h, say } from "./dom";
import { ask } from "./evidence";
import { isReady, keep, keptOf, whenKept } from "./kept";
import type { Store } from "./store";
import { day, duration, msOf, utc, type Alarm } from "./words";

const AWAY_MS = 300_000;
const LOOK_MS = 5_000;
const TELL_MS = 20_000; // how often it is kept that somebody looks
const ROWS_MAX = 50;

type Raised = Pick<Alarm, "id" | "raised_ns" | "cleared_ns" | "priority" | "rule" | "zone" | "subject" | "subject_id" | "reason">;
interface Range { alarms: Raised[]; alarms_left_out: number }

export class Away {
  private early = false; // a picture came before it was known who sits here
  private toldMs = -Infinity; // when it was kept last, by this machine
  private told = false; // what is shown was not said to be seen yet

  constructor(private readonly store: Store, private readonly replayFrom: (ms: number) => void) {
    let next = 0;
    store.on("picture", () => {
      if (store.replaying || document.hidden || performance.now() < next) return;
      next = performance.now() + LOOK_MS;
      void this.look();
    });
    whenKept(() => { if (this.early) void this.look(); });
    $("away-seen").addEventListener("click", () => this.seen());
  }

  private async look(): Promise<void> {
    const [site, now] = [this.store.site?.name ?? "", this.store.nowMs];
    this.early = !isReady();
    if (!site || this.told || this.early) return;
    const last = keptOf("looked");
    if (this.store.canReplay && last?.site === site && now - last.ms > AWAY_MS) await this.since(last.ms, now);
    if (!this.told) this.remember(site, now);
  }

  private remember(site: string, ms: number): void {
    const last = keptOf("looked");
    if (last?.site === site && last.ms <= ms && performance.now() - this.toldMs < TELL_MS) return;
    this.toldMs = performance.now();
    keep("looked", { site, ms });
  }

  private async since(fromMs: number, toMs: number): Promise<void> {
    try {
      const ns = (ms: number): string => `${BigInt(Math.round(ms)) * 1_000_000n}`;
      const { alarms, alarms_left_out } = await ask<Range>(`/v1/replay/range?since_ns=${ns(fromMs)}&until_ns=${ns(toMs)}`);
      if (!alarms.length) return;
      this.told = true;
      say($("away-told"), `While you were away, ${duration((toMs - fromMs) / 1000)}: ${alarms.length + alarms_left_out} alarm${alarms.length + alarms_left_out > 1 ? "s" : ""}`);
      const shown = alarms.slice(-ROWS_MAX).reverse();
      const more = alarms.length + alarms_left_out - shown.length;
      $("away-list").replaceChildren(...shown.map((a) => this.row(a)), ...(more > 0 ? [h("li", {}, `and ${more} earlier ones`)] : []));
      $("away").hidden = false;
    } catch (error) {
      console.warn("what was raised meanwhile is not known:", error);
    }
  }

  private row(a: Raised): HTMLLIElement {
    const mark = PRIORITY[a.priority] ?? PRIORITY["low"]!;
    const raised = msOf(a.raised_ns);
    const over = a.cleared_ns === "0" ? "stands" : `for ${duration((msOf(a.cleared_ns) - raised) / 1000)}`;
    const go = (): void => {
      if (a.subject === "track") this.store.select(`t${a.subject_id}`);
      this.replayFrom(raised - 10_000);
    };
    return h("li", {}, drawing([{ d: mark.path, fill: mark.colour }]), h("b", {}, a.priority), ` ${a.rule}${a.zone ? `, ${a.zone}` : ""}: ${a.reason} `,
      h("button", { type: "button", click: go }, `${day(raised)} ${utc(raised)} UTC`), ` ${over}`);
  }

  private seen(): void {
    this.told = false;
    $("away").hidden = true;
    this.toldMs = -Infinity;
    this.remember(this.store.site?.name ?? "", this.store.nowMs);
    $("alarms").focus();
  }
}
