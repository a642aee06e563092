// What a person does about an alarm: acknowledge with a name and a note, put aside for a while, take back.

import { $, h, say } from "./dom";
import type { Store } from "./store";
import { msOf, utc, type Act, type Alarm } from "./words";

export const NAME = "lapwing.name";
const SHELVES: [string, number][] = [["15 min", 900], ["1 h", 3600], ["8 h", 28800]];

export class Deeds {
  constructor(private readonly store: Store, private readonly live: Store) {
    const who = $<HTMLInputElement>("who");
    who.value = localStorage.getItem(NAME) ?? "";
    who.addEventListener("change", () => localStorage.setItem(NAME, who.value.trim()));
    store.on("acts", () => this.show());
    store.on("site", () => this.show());
    this.show();
  }
  private show(): void {
    $("who-box").hidden = this.store.acts === null || this.store.replaying;
  }

  /** The line under an alarm: what was done, and what can be. Nothing where the server takes no acts. */
  line(a: Alarm): HTMLElement | null {
    const { acts } = this.store;
    if (acts === null) return null;
    const { acknowledge, shelve, note } = acts[a.id] ?? {};
    const shelved = this.store.shelved(a);
    const said = [
      acknowledge && `Seen by ${acknowledge.name} ${utc(msOf(acknowledge.picture_ns))}${acknowledge.note && `: ${acknowledge.note}`}`,
      shelved && `Shelved by ${shelve!.name} until ${utc(msOf(shelve!.until_ns))}`,
      note && `${note.name}: ${note.note}`,
    ].filter(Boolean).join(". ");
    const standing = a.state !== "cleared";
    const button = (text: string, label: string, act: () => void): HTMLButtonElement =>
      h("button", { type: "button", "aria-label": label, "data-act": text, click: act }, text);
    const words = h("input", { type: "text", maxlength: 1000, placeholder: "Note", "aria-label": `Note on alarm ${a.id}`, "data-note": a.id });
    if (this.store.replaying) return h("div", { class: "acts" }, said && h("p", {}, said)); // the past cannot be changed
    return h("div", { class: "acts" },
      said && h("p", {}, said),
      h("p", {},
        standing && !acknowledge && button("Acknowledge", `Acknowledge alarm ${a.id}`, () => void this.send(a, "acknowledge", words)),
        standing && !shelved && h("span", {}, "Shelve"),
        standing && !shelved && SHELVES.map(([text, s]) => button(text, `Shelve alarm ${a.id} for ${text}`, () => void this.send(a, "shelve", words, s))),
        shelved && button("Take back", `Take alarm ${a.id} off the shelf`, () => void this.send(a, "unshelve", words)),
        acknowledge && button("Add note", `Add the note to alarm ${a.id}`, () => void this.send(a, "note", words)),
        words,
      ),
    );
  }

  private async send(a: Alarm, verb: string, words: HTMLInputElement, for_s = 0): Promise<void> {
    const who = $<HTMLInputElement>("who");
    const name = who.value.trim();
    if (!name) {
      say($("announce"), "Say who you are first.");
      who.setAttribute("aria-invalid", "true");
      who.focus();
      return;
    }
    who.removeAttribute("aria-invalid");
    try {
      const answer = await fetch("/v1/acts", {
        method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ alarm: a.id, verb, name, note: words.value, for_s }),
      });
      if (!answer.ok) throw new Error(((await answer.json()) as { error?: string }).error ?? answer.statusText);
      words.value = "";
      const act = (await answer.json()) as Act;
      this.live.takeAct(act);
      this.store.takeAct(act); // at once: after a recording's end no picture brings it
      say($("announce"), `Alarm ${a.id}: ${verb} is written down.`);
    } catch (error) {
      const text = `Alarm ${a.id}: ${verb} was NOT written down: ${error instanceof Error ? error.message : String(error)}`;
      say($("announce"), text);
      say($("notice"), text);
      $("notice").hidden = false;
    }
  }
}
