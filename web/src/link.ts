// One WebSocket to where the page came from; comes back by itself, ever more patiently, at most every 10 s.

import type { LinkState, Message, Store } from "./store";
import { timeOf } from "./wire";

const STALE_MS = 3000;

export class Link {
  private socket: WebSocket | null = null;
  private tries = 0;
  private lastMs = 0;
  private undrawn = 0; // tick of the newest picture, until it is drawn

  beside = false; // and the live picture is shown beside it: `live` takes everything
  aside = false; // the past is being shown: only alarms and what people did about them are taken, by `live`

  constructor(private readonly store: Store, private readonly live: Store, private readonly stride: number) {
    this.open();
    setInterval(() => this.watch(), 500);
  }

  get silentS(): number {
    return this.lastMs ? (performance.now() - this.lastMs) / 1000 : 0;
  }

  private open(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/live?stride=${this.stride}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === "string") this.text(JSON.parse(data) as Message);
      else {
        this.tries = 0;
        this.lastMs = performance.now();
        if (!this.aside) {
          this.store.takePicture(data);
          this.undrawn = this.store.picture?.tick ?? 0;
        }
        if (this.aside && this.beside) this.live.takePicture(data);
        else this.live.nowMs = this.aside ? timeOf(data) : this.store.nowMs;
        if (this.store.link !== "live") this.setState("live");
      }
    };
    socket.onclose = () => {
      this.setState("lost");
      this.tries += 1;
      setTimeout(() => this.open(), Math.min(10_000, 500 * 2 ** Math.min(this.tries, 5)));
    };
    this.socket = socket;
  }

  private setState(state: LinkState): void {
    this.live.setLink(state);
    this.store.setLink(state);
  }

  /** A frame was drawn: the server, which measures where the time goes, is told once per picture. */
  drawn(): void {
    if (this.undrawn && !this.aside && this.socket?.readyState === WebSocket.OPEN) this.socket.send(`drawn ${this.undrawn}`);
    this.undrawn = 0;
  }

  private text(message: Message): void {
    if (!this.aside) this.store.take(message);
    if (message.type === "alarms" || message.type === "acts" || (this.aside && this.beside)) {
      const { acts } = this.live;
      this.live.take(message);
      if (message.type === "hello") this.live.acts = acts; // told anew in a moment; until then nothing is forgotten
    }
  }

  /** A new connection at once, that tells everything. */
  again(): void {
    const { socket } = this;
    if (socket?.readyState !== WebSocket.OPEN) return; // it is being opened, or will be
    socket.onclose = socket.onmessage = null;
    socket.close();
    this.open();
  }

  private watch(): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return this.store.emit("link");
    if (this.lastMs) this.setState(performance.now() - this.lastMs > STALE_MS ? "stale" : "live");
    else this.store.emit("link");
  }
}
