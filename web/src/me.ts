// Who is logged in, where the site wants to know. A session that has ended leads back to the log-in page; the server
// refuses by itself what somebody may not do, the page only does not offer it.

import { NAME } from "./acts";
import { $, h, say } from "./dom";
import { begin } from "./kept";
import type { Store } from "./store";

const AGAIN_MS = 3000;

interface Told { login: boolean; name?: string; role?: string }

export class Me {
  private askedMs = -AGAIN_MS;

  constructor(private readonly store: Store) {
    store.on("link", () => { if (store.link === "lost" && performance.now() - this.askedMs > AGAIN_MS) void this.ask(); });
    store.on("site", () => void this.ask()); // a server that was started again may offer more
    void this.ask();
  }

  private async ask(): Promise<void> {
    this.askedMs = performance.now();
    try {
      const answer = await fetch("/v1/me");
      if (answer.status === 401) location.replace(`/login.html${location.hash}`);
      else if (answer.ok) {
        const told = (await answer.json()) as Told;
        this.show(told);
        await begin(told.login);
      }
    } catch { /* the server is away; the link says so */ }
  }

  private show({ login, name, role }: Told): void {
    const box = $("me");
    box.hidden = !login;
    if (!login || !name) return;
    document.body.dataset["role"] = role ?? "";
    localStorage.setItem(NAME, name);
    const who = $<HTMLInputElement>("who");
    who.value = name;
    who.readOnly = true;
    $("sketch").hidden = $("to-config").hidden = role !== "manage" || !this.store.offers.has("config");
    box.replaceChildren(
      h("span", {}, role === "watch" ? "Watching as " : "Logged in as "), h("b", {}, name), " ",
      h("button", { type: "button", id: "log-out", click: () => void this.leave() }, "Log out"));
    this.store.emit("acts");
  }

  private async leave(): Promise<void> {
    try {
      const answer = await fetch("/v1/logout", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      location.replace("/login.html");
    } catch (error) {
      say($("notice"), `You are NOT logged out: ${error instanceof Error ? error.message : String(error)}`);
      $("notice").hidden = false;
    }
  }
}
