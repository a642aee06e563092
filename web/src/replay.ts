// Replay: recorded pictures in place of the live ones, from any moment, through a second WebSocket. The live connection
// stays, so that a new alarm is told meanwhile.

import type { Link } from "./link";
import type { Message, Store } from "./store";

export const RATES = [1, 2, 5, 10, 30, 100];
const SCRUB_MS = 150;

/** Where the replay is; mirrors docs/wire.md. */
export interface Told {
  type: "replay"; seek: number; state: "preparing" | "playing" | "paused" | "end" | "failed" | "idle"; why?: string; share?: number;
  exact?: boolean | null; compared?: number; different?: number; rate?: number; rate_real?: number; time_ns?: string;
}

export class Replay {
  told: Told | null = null; // null: live
  rate = 1;
  paused = true;
  exact: boolean | null = null;
  wantedMs = 0; // the moment last asked for
  private socket: WebSocket | null = null;
  private seek = 0;
  private current = false; // whether what comes belongs to the moment last asked for
  private timer = 0;

  constructor(private readonly store: Store, private readonly link: Link) {}

  get on(): boolean {
    return this.store.replaying;
  }
  /** The moment shown, in whole milliseconds not before it: a link to it shows the same picture. */
  get atMs(): number {
    return this.told?.time_ns && this.current ? Math.ceil(Number(this.told.time_ns) / 1e6) : this.wantedMs;
  }

  /** Show a moment (and begin to, where the picture was live). */
  go(atMs: number, paused = this.paused): void {
    clearTimeout(this.timer);
    this.wantedMs = Math.max(0, Math.ceil(atMs));
    this.paused = paused;
    this.current = false;
    this.seek += 1;
    if (!this.on) {
      this.store.replaying = true;
      this.link.aside = true;
      this.store.emit("mode");
    }
    this.note({ type: "replay", seek: this.seek, state: "preparing", share: 0 });
    if (this.socket?.readyState === WebSocket.OPEN) this.wish({ at_ns: this.wantedNs(), rate: this.rate, paused });
    else if (this.socket?.readyState !== WebSocket.CONNECTING) this.open();
  }
  /** The same for a slider that is being dragged. */
  scrub(atMs: number): void {
    clearTimeout(this.timer);
    this.wantedMs = Math.max(0, Math.ceil(atMs));
    this.seek += 1; // what still comes is of another moment: the thumb stays under the finger
    this.current = false;
    this.timer = window.setTimeout(() => this.go(atMs), SCRUB_MS);
  }
  play(paused: boolean): void {
    this.paused = paused;
    if (this.socket?.readyState !== WebSocket.OPEN || !this.current) this.go(this.atMs, paused);
    else this.wish({ paused });
  }
  speed(rate: number): void {
    this.rate = rate;
    if (this.socket?.readyState === WebSocket.OPEN) this.wish({ rate });
    this.store.emit("replay");
  }
  leave(): void {
    if (!this.on) return;
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.told = null;
    this.store.replaying = false;
    this.store.reset();
    this.link.aside = false;
    this.link.again(); // everything is told anew
    this.store.emit("mode");
  }

  private wantedNs(): string {
    return `${BigInt(this.wantedMs) * 1_000_000n}`;
  }
  private wish(wish: object): void {
    this.socket!.send(JSON.stringify({ seek: this.seek, ...wish }));
  }

  private open(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const words = new URLSearchParams({ at_ns: this.wantedNs(), seek: String(this.seek), rate: String(this.rate), paused: String(this.paused) });
    const asked = this.seek;
    const socket = new WebSocket(`${scheme}://${location.host}/v1/replay?${words}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { if (asked !== this.seek) this.wish({ at_ns: this.wantedNs(), rate: this.rate, paused: this.paused }); };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => { if (socket === this.socket) this.take(data); };
    socket.onclose = ({ reason }) => {
      if (socket !== this.socket) return; // left
      this.socket = null;
      const known = this.told?.state === "failed" || this.told?.state === "idle";
      if (!known) this.note({ type: "replay", seek: this.seek, state: "failed", why: reason || "The connection to the replay was lost." });
    };
    this.socket = socket;
  }

  private take(data: ArrayBuffer | string): void {
    if (typeof data !== "string") {
      if (this.current) this.store.takePicture(data);
      return;
    }
    const message = JSON.parse(data) as Message | Told;
    if (message.type !== "replay") {
      if (message.type === "hello" && this.current) this.store.reset();
      if (this.current) this.store.take(message);
      return;
    }
    if (message.seek !== this.seek && message.seek !== 0) return; // of a moment that was asked for earlier
    this.current = message.seek === this.seek && message.state !== "failed";
    this.note(message);
  }

  private note(told: Told): void {
    this.told = told.time_ns || !this.told?.time_ns ? told : { ...told, time_ns: this.told.time_ns };
    if (told.exact !== undefined) this.exact = told.exact;
    const runs = told.state === "playing";
    this.store.pace = runs ? Math.min(told.rate ?? 1, told.rate_real || told.rate || 1) : 0;
    this.store.emit("replay");
  }
}
