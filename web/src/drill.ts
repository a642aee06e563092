// A test of the alarm outputs: who tests and why, what became of it per output, and that a test runs, loudly marked as one.

import { NAME } from "./acts";
import { $, h, say } from "./dom";
import { ask } from "./evidence";
import type { Sound } from "./sound";
import type { Store } from "./store";
import { day, msOf, utc, type Act } from "./words";

const AGAIN_MS = 1000;
const TRIES = 60;
const REMIND_MS = 300_000;

interface Told { test: Act | null; outputs: { output: string; state: string; why: string }[] }

export class Drill {
  private readonly dialog = $<HTMLDialogElement>("drill");
  private readonly who = h("input", { id: "drill-who", type: "text", maxlength: 80, autocomplete: "name", required: true });
  private readonly why = h("input", { id: "drill-why", type: "text", maxlength: 1000, placeholder: "for example: shift change, new phone" });
  private readonly result = h("div", { role: "status" });
  private newest: number | null = null; // of the tests that were told; null: nothing was told yet
  private offered = false;
  private asking = 0; // the act that is being asked about

  constructor(private readonly store: Store, private readonly live: Store, private readonly sound: Sound) {
    $("test-alarm").addEventListener("click", () => this.open());
    this.dialog.append(
      h("h2", { id: "drill-title" }, "Test the alarm outputs"),
      h("p", {}, "Sends a message marked TEST through every alarm output of this site, and sounds here. It is no alarm: nothing has happened, and it is in no picture. It is written down with your name."),
      h("form", { method: "dialog", submit: (e) => { e.preventDefault(); void this.send(); } },
        h("p", {}, h("label", { for: "drill-who" }, "You are"), this.who),
        h("p", {}, h("label", { for: "drill-why" }, "Why"), this.why),
        h("button", { type: "submit" }, "Send the test"), " ", h("button", { type: "button", click: () => this.dialog.close() }, "Close")),
      this.result,
    );
    live.on("acts", () => this.news());
    store.on("site", () => {
      this.show();
      if (!store.replaying) this.offered = store.offers.has("alarm-test"); // a replay does not tell
      void this.remind();
    });
    setInterval(() => void this.remind(), REMIND_MS);
    $("untested-go").addEventListener("click", () => this.open());
    store.on("mode", () => this.show());
    this.show();
  }

  private show(): void {
    $("test-alarm").hidden = this.store.replaying || !this.store.offers.has("alarm-test");
  }

  /** Says so when nobody has tested the alarms today, by this machine's calendar. */
  private async remind(): Promise<void> {
    if (!this.offered) return;
    try {
      const { test } = await ask<Told>("/v1/alarm-test");
      this.tested(test ? msOf(test.at_ns) : 0);
    } catch { /* the server is away; the link says so */ }
  }
  private tested(atMs: number): void {
    $("untested").hidden = atMs >= new Date().setHours(0, 0, 0, 0);
    say($("untested-told"), atMs ? `No alarm test today; the last was on ${day(atMs)}.` : "The alarms of this site were never tested.");
  }

  /** A test that somebody started, here or elsewhere. */
  private news(): void {
    const { test } = this.live;
    const banner = $("test-banner");
    banner.hidden = test === null;
    if (test) this.tested(msOf(test.at_ns));
    if (test) say(banner, `TEST by ${test.name}${test.note && `: ${test.note}`}. ${utc(msOf(test.at_ns))} UTC. No real alarm.`);
    if (test && this.newest !== null && test.act > this.newest) {
      say($("announce"), `Test alarm by ${test.name}. Nothing has happened.`);
      this.sound.test();
    }
    this.newest = Math.max(this.newest ?? 0, test?.act ?? 0);
  }

  private open(): void {
    this.who.readOnly = $<HTMLInputElement>("who").readOnly;
    this.who.value = $<HTMLInputElement>("who").value || (localStorage.getItem(NAME) ?? "");
    this.result.replaceChildren();
    this.dialog.showModal();
    (this.who.value ? this.why : this.who).focus();
    void ask<Told>("/v1/alarm-test").then((told) => { if (!this.asking) this.draw(told, "Last test"); }, (error: Error) => this.fail(error));
  }

  private async send(): Promise<void> {
    const name = this.who.value.trim();
    if (!name) {
      this.who.focus();
      this.result.replaceChildren(h("p", { class: "bad" }, "Say who you are first."));
      return;
    }
    localStorage.setItem(NAME, name);
    $<HTMLInputElement>("who").value = name;
    try {
      const answer = await fetch("/v1/alarm-test", {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name, note: this.why.value }),
      });
      const told = (await answer.json()) as Told & { error?: string };
      if (!answer.ok || !told.test) throw new Error(told.error ?? `the server answered ${answer.status}`);
      this.asking = told.test.act;
      this.tested(msOf(told.test.at_ns));
      this.draw(told, "This test");
      await this.follow(told);
    } catch (error) {
      this.fail(error as Error);
    }
    this.asking = 0;
  }

  /** Asks until every output has said what became of it. */
  private async follow(told: Told): Promise<void> {
    for (let i = 0; i < TRIES && told.outputs.some((o) => o.state === "waiting") && this.dialog.open; i++) {
      await new Promise((then) => setTimeout(then, AGAIN_MS));
      told = await ask<Told>("/v1/alarm-test");
      if (told.test?.act !== this.asking) return this.draw(told, "A newer test, by somebody else");
      this.draw(told, "This test");
    }
  }

  private draw({ test, outputs }: Told, what: string): void {
    if (!test) return this.result.replaceChildren(h("p", {}, "Nobody has ever tested the outputs of this site."));
    const at = msOf(test.at_ns);
    const rows = outputs.map((o) => {
      const state = o.state === "sent" ? "fine" : o.state === "waiting" ? "faults" : "quiet";
      return h("li", { class: state }, h("b", {}, { fine: "✓", faults: "…", quiet: "✕" }[state]), ` ${o.output}: ${o.state}${o.why && `, ${o.why}`}`);
    });
    this.result.replaceChildren(
      h("p", {}, `${what}: ${day(at)} ${utc(at)} UTC by ${test.name}${test.note && `: ${test.note}`}`),
      h("ul", {}, ...(rows.length ? rows : [h("li", { class: "quiet" }, "This site has no alarm output: nobody outside this page is told of alarms.")])),
    );
  }

  private fail(error: Error): void {
    this.result.replaceChildren(h("p", { class: "bad" }, `NOT tested: ${error.message}`));
  }
}
