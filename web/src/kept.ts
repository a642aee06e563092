// What a person keeps: which zones are silent, until when somebody looked, quiet hours. On the server for who is logged in, so that it
// is the same at every desk; in this browser where nobody logs in.

import { $, say } from "./dom";

export interface Looked { site: string; ms: number } // until when somebody looked, by the picture's time
export interface Quiet { begin: string; end: string } // HH:MM by this machine's clock
interface Kept { zones_off?: string[]; looked?: Looked; quiet?: Quiet }

const IN_BROWSER: Record<keyof Kept, string> = { zones_off: "lapwing.zones.off", looked: "lapwing.looked", quiet: "lapwing.quiet" };
const GOOD: { [K in keyof Kept]-?: (v: unknown) => v is NonNullable<Kept[K]> } = {
  zones_off: (v): v is string[] => Array.isArray(v) && v.every((n) => typeof n === "string"),
  looked: (v): v is Looked => typeof (v as Looked | null)?.site === "string" && typeof (v as Looked).ms === "number",
  quiet: (v): v is Quiet => [(v as Quiet | null)?.begin, (v as Quiet | null)?.end].every((t) => typeof t === "string" && /^([01]\d|2[0-3]):[0-5]\d$/.test(t)),
};

let values: Kept = {};
let account = false;
let ready = false; // whether it is known who sits here
const listeners: (() => void)[] = [];

/** Called when what is kept is known, and whenever it changes. */
export function whenKept(then: () => void): void {
  listeners.push(then);
  if (ready) then();
}
export const isReady = (): boolean => ready;
export function keptOf<K extends keyof Kept>(key: K): Kept[K] {
  return values[key];
}

/** Who sits here is known: read what is kept. Called again when the server was started again. */
export async function begin(login: boolean): Promise<void> {
  if (ready && login === account) return;
  account = login;
  values = login ? await fromServer() : fromBrowser();
  ready = true;
  for (const then of listeners) then();
}

export function keep<K extends keyof Kept>(key: K, value: Kept[K]): void {
  if (value === undefined) delete values[key];
  else values[key] = value;
  for (const then of listeners) then();
  if (account) void send(key, value);
  else if (value === undefined) localStorage.removeItem(IN_BROWSER[key]);
  else localStorage.setItem(IN_BROWSER[key], JSON.stringify(value));
}

function fromBrowser(): Kept {
  return sound((key) => {
    try {
      return JSON.parse(localStorage.getItem(IN_BROWSER[key]) ?? "null");
    } catch {
      return null; // somebody else's word under our name
    }
  });
}
async function fromServer(): Promise<Kept> {
  try {
    const answer = await fetch("/v1/mine");
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const told = (await answer.json()) as Record<string, unknown>;
    return sound((key) => told[key]);
  } catch (error) {
    console.warn("what this account keeps is not known:", error);
    return {};
  }
}
function sound(of: (key: keyof Kept) => unknown): Kept {
  const found: Record<string, unknown> = {};
  for (const key of Object.keys(GOOD) as (keyof Kept)[]) {
    const value = of(key);
    if (GOOD[key](value)) found[key] = value;
  }
  return found as Kept;
}
async function send(key: keyof Kept, value: unknown): Promise<void> {
  try {
    const answer = await fetch("/v1/mine", { method: "POST", keepalive: true, headers: { "content-type": "application/json" }, body: JSON.stringify({ [key]: value ?? null }) });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  } catch (error) {
    if (key === "looked") return; // it is said again soon
    say($("notice"), `NOT kept for your account: ${error instanceof Error ? error.message : String(error)}. It holds until this page is closed.`);
    $("notice").hidden = false;
  }
}
