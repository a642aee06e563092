// A picture on a wall (kiosk=1 in the address): no controls, the map and the most urgent alarms. Nobody stands beside it, so
// it comes back by itself after anything, and says in large letters when what it shows is old.

import type { Link } from "./link";
import type { Store } from "./store";

const SILENT_S_MAX = 20;
const WATCH_MS = 5000;

export function kiosk(store: Store, link: Link): void {
  document.body.dataset["kiosk"] = "";
  let version = "";
  store.on("site", () => { // a newer server has a newer page
    if (version && store.version !== version) location.reload();
    version = store.version;
  });
  setInterval(() => { // a line that died without a word still looks open
    if (link.silentS > SILENT_S_MAX) link.again();
  }, WATCH_MS);
  const stayAwake = (): void => { void navigator.wakeLock?.request("screen").catch(() => undefined); }; // only where the page is secure
  document.addEventListener("visibilitychange", () => { if (!document.hidden) stayAwake(); });
  stayAwake();
}
