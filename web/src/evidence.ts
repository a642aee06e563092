// The bytes behind what is shown: fetched from the journal on demand.

import { $, h } from "./dom";
import { day, msOf, utc } from "./words";

interface FrameText { seq: number; feed: string; received_ns: string; bytes: number; truncated: boolean; hex: string; printable: string }

export async function ask<T>(target: string): Promise<T> {
  const answer = await fetch(target);
  const told = (await answer.json()) as T & { error?: string };
  if (!answer.ok) throw new Error(told.error ?? `the server answered ${answer.status}`);
  return told;
}

/** A link to one journal entry that opens it in place. */
export function frameLink(seq: number): HTMLAnchorElement {
  return h("a", { href: `/v1/frames/${seq}`, class: "frame", click: (event) => { event.preventDefault(); void showFrame(seq); } }, `#${seq}`);
}

export async function showFrame(seq: number): Promise<void> {
  const dialog = $<HTMLDialogElement>("evidence");
  const close = h("button", { type: "button", autofocus: true, click: () => dialog.close() }, "Close");
  const body = h("div", {}, "…");
  dialog.replaceChildren(h("h2", { id: "evidence-title" }, `Journal frame ${seq}`), body, close);
  dialog.showModal();
  try {
    const frame = await ask<FrameText>(`/v1/frames/${seq}`);
    const ms = msOf(frame.received_ns);
    body.replaceChildren(
      h("p", {}, `${frame.feed} · received ${day(ms)} ${utc(ms)} UTC · ${frame.bytes} bytes${frame.truncated ? " (start shown)" : ""}`),
      h("pre", { tabindex: 0 }, dump(frame)),
      h("p", {}, h("a", { href: `/v1/frames/${seq}`, target: "_blank", rel: "noopener" }, "as JSON")),
    );
  } catch (error) {
    body.replaceChildren(h("p", { class: "bad" }, String(error instanceof Error ? error.message : error)));
  }
}

function dump(frame: FrameText): string {
  const rows: string[] = [];
  for (let at = 0; at < frame.printable.length; at += 16) {
    const hex = frame.hex.slice(2 * at, 2 * at + 32).replace(/../g, "$& ");
    rows.push(`${at.toString(16).padStart(5, "0")}  ${hex.padEnd(48)}  ${frame.printable.slice(at, at + 16)}`);
  }
  return rows.join("\n");
}
