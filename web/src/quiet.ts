// Quiet hours of this page's sound: every day from one time to another by this machine's clock, only critical alarms sound. It is
// said in a banner all the while.

import { $, say } from "./dom";
import { keep, keptOf, whenKept } from "./kept";
import type { Alarm } from "./words";

const minutes = (clock: string): number => 60 * Number(clock.slice(0, 2)) + Number(clock.slice(3));

/** Whether the hours hold now; from 22:00 to 06:00 they go over midnight. */
export function quietNow(now = new Date()): boolean {
  const hours = keptOf("quiet");
  if (!hours) return false;
  const [at, begin, end] = [60 * now.getHours() + now.getMinutes(), minutes(hours.begin), minutes(hours.end)];
  return begin < end ? begin <= at && at < end : at >= begin || at < end;
}
export const audible = (a: Alarm): boolean => a.priority === "critical" || !quietNow();

/** The choice under the alarms, and the banner. */
export function drawQuiet(): void {
  const [on, begin, end] = ["quiet-on", "quiet-begin", "quiet-end"].map((id) => $<HTMLInputElement>(id)) as [HTMLInputElement, HTMLInputElement, HTMLInputElement];
  const told = (): void => {
    const hours = keptOf("quiet");
    say($("quiet-told"), hours ? `${hours.begin} to ${hours.end}` : "none");
    $("quiet-hours").toggleAttribute("data-some", hours !== undefined);
    $("quiet-now").hidden = !quietNow();
    if (hours) say($("quiet-now"), `Quiet hours until ${hours.end}: only critical alarms sound here.`);
  };
  const changed = (): void => {
    const good = Boolean(begin.value && end.value && begin.value !== end.value);
    say($("quiet-wrong"), on.checked && !good ? "Two different times are needed." : "");
    keep("quiet", on.checked && good ? { begin: begin.value, end: end.value } : undefined);
  };
  for (const field of [on, begin, end]) field.addEventListener("change", changed);
  whenKept(() => {
    const hours = keptOf("quiet");
    if (hours) [on.checked, begin.value, end.value] = [true, hours.begin, hours.end];
    told();
  });
  setInterval(told, 1000);
}
