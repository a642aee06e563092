// The page of the past: who was there, how much there was, what to hand over. Plain JavaScript, no build, no dependency.

const $ = (id) => document.getElementById(id);
const HOUR_MS = 3_600_000;
const SVG = "http://www.w3.org/2000/svg";
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const WHO = ["track", "aircraft", "ship", "remote_id"];
const WORDS = { track: "Tracks", aircraft: "Aircraft", ship: "Ships", remote_id: "Remote ID" };
const counters = { searches: 0, stats: 0, handovers: 0 };
window.lapwing = counters; // for tests

function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((c) => c !== null));
  return made;
}
function s(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
async function ask(path, query, body) {
  const words = new URLSearchParams(Object.entries(query).filter(([, v]) => v !== ""));
  const answer = await fetch(`${path}?${words}`, body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  if (answer.status === 401) location.replace(`/login.html?history${location.hash}`);
  const told = answer.headers.get("content-type").startsWith("application/json") ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Error(told.error ?? `The server answered ${answer.status}.`);
  return told;
}
function say(where, words, wrong = false) {
  where.textContent = words;
  where.toggleAttribute("data-wrong", wrong);
}
const ns = (ms) => `${Math.round(ms)}000000`;
const ms = (text) => Number(BigInt(text) / 1_000_000n);
const utc = (text) => `${new Date(ms(text)).toISOString().slice(0, 19).replace("T", " ")}Z`;
const field = (time) => new Date(time).toISOString().slice(0, 19);
const span = () => ({ from: Date.parse(`${$("from").value}Z`), to: Date.parse(`${$("to").value}Z`) });
const times = () => ({ since_ns: ns(span().from), until_ns: ns(span().to) });
const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);

function table(heads, rows, caption) {
  const cell = (tag, value, i) => h(tag, typeof heads[i] === "object" ? { class: "number", ...(tag === "th" && { scope: "col" }) } : tag === "th" ? { scope: "col" } : {}, value);
  return h("table", {}, h("caption", { class: "key" }, caption),
    h("thead", {}, h("tr", {}, ...heads.map((head, i) => cell("th", String(head), i)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((v, i) => cell("td", v instanceof Node ? v : String(v), i))))));
}
const number = (head) => [head]; // a head in a list: its column holds numbers

// ---- search

let next = null;
async function search(after = 0) {
  const q = Object.fromEntries(["identity", "who", "kind", "zone", "box"].map((name) => [name, $(name).value.trim()]));
  say($("found"), "Looking…");
  try {
    const told = await ask("/v1/history/tracks", { ...times(), ...q, after });
    const rows = told.visits.map((v) => [
      h("span", {}, v.name, v.name === v.number ? "" : ` (${v.number})`), v.who.replace("_", " "), v.kind ? `${v.kind.replaceAll("_", " ")} ${percent(v.kind_p)}` : "",
      utc(v.area ? v.area.entered_ns : v.first_ns), utc(v.area ? v.area.left_ns : v.last_ns),
      v.area ? (v.area.exact ? `${v.area.inside_s} s` : "not read") : `${v.minutes} min`, v.low_m === null ? "–" : `${v.low_m.toFixed(0)} to ${v.high_m.toFixed(0)}`, v.speed_mps.toFixed(0),
      v.replay ? h("a", { href: v.replay, "aria-label": `Replay of ${v.name}` }, "replay") : "",
      v.why ? h("a", { href: v.why, "aria-label": `Why ${v.name}` }, "why") : "",
    ]);
    const made = table(["Name", "Who", "Probably", "From", "To", number("There"), number("Height, m"), number("Speed, m/s"), "Again", "Why"], rows, "Visits, the newest first");
    if (after) $("visits").querySelector("tbody").append(...made.querySelectorAll("tbody tr"));
    else $("visits").replaceChildren(made);
    next = told.next;
    $("more").hidden = next === null;
    const maybe = q.zone || q.box ? " may have been there; the paths say who was" : " found";
    say($("found"), `${told.found}${maybe}${told.complete ? "" : ". There are too many: the oldest were not looked at"}.`);
  } catch (error) {
    say($("found"), error.message, true);
  }
  counters.searches += 1;
}

// ---- charts

const SHADES = 16; // in history.css, for each theme: told apart also without colours, by lightness
const shade = (share) => `s${Math.round(Math.min(Math.max(share, 0), 1) * (SHADES - 1))}`;
function key(words) {
  const bar = s("svg", { viewBox: "0 0 200 10", width: 200, height: 10, "aria-hidden": "true" }, ...[...Array(40).keys()].map((i) => s("rect", { x: i * 5, y: 0, width: 5, height: 10, class: shade(i / 39) })));
  return h("div", { class: "key" }, bar, words);
}

let site = null;
function heat(told, which) {
  const minutes = told.heat[`${which}_min`];
  const most = Math.max(1, ...minutes);
  const rings = told.heat.rings.filter((_, i) => minutes[i] > 0);
  if (!rings.length) return h("p", {}, `No ${which}s.`);
  const zones = site.features.filter((f) => f.geometry.type === "Polygon");
  const origin = site.features.find((f) => f.properties.kind === "origin").geometry.coordinates;
  const near = rings.flat().concat(zones.flatMap((z) => z.geometry.coordinates[0]));
  const wide = Math.cos((origin[1] * Math.PI) / 180);
  const xs = near.map((p) => (p[0] - origin[0]) * wide), ys = near.map((p) => origin[1] - p[1]);
  const low = [Math.min(...xs), Math.min(...ys)], size = Math.max(Math.max(...xs) - low[0], Math.max(...ys) - low[1], 0.01);
  const scale = 580 / size;
  const at = (p) => `${(10 + ((p[0] - origin[0]) * wide - low[0]) * scale).toFixed(1)},${(10 + (origin[1] - p[1] - low[1]) * scale).toFixed(1)}`;
  const path = (ring) => `M${ring.map(at).join("L")}Z`;
  const cells = told.heat.rings.flatMap((ring, i) => (minutes[i] ? [s("path", { d: path(ring), class: shade(Math.log1p(minutes[i]) / Math.log1p(most)) }, s("title", {}, `${minutes[i]} minutes`))] : []));
  const lines = zones.map((z) => s("path", { d: path(z.geometry.coordinates[0]), class: "line dashed" }, s("title", {}, z.properties.name ?? "zone")));
  const [x, y] = at(origin).split(",");
  const km = 10 ** Math.floor(Math.log10(size * 111.2));
  const rule = [s("path", { d: `M20 585h${((km / 111.2) * scale).toFixed(1)}`, class: "line thick" }), s("text", { x: 20, y: 578 }, `${km} km; north is up`)];
  return h("div", {}, s("svg", { viewBox: "0 0 600 600", role: "img", "aria-label": `Heat map of ${which}s; the table below says the same` },
    ...cells, ...lines, s("circle", { cx: x, cy: y, r: 4, class: "line" }, s("title", {}, "site")), ...rule),
  key(`from one minute to ${most} minutes with a ${which} in the cell; dashed: zones; cells are finer within 10 km`),
  h("details", {}, h("summary", {}, "As a table"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Cells of ${which}s` },
    table(["Cell (H3)", number("Minutes"), "Around"], told.heat.hex.flatMap((hex, i) => (minutes[i] ? [[hex, minutes[i], `${told.heat.rings[i][0][1].toFixed(3)}, ${told.heat.rings[i][0][0].toFixed(3)}`]] : [])).slice(0, 200), "The busiest 200 cells"))));
}

function hours(told, who) {
  const rows = told.hours[who];
  const most = Math.max(0.01, ...rows.flat().map((v) => v ?? 0));
  const cells = rows.flatMap((row, d) => row.map((v, hour) => s("rect", { x: 40 + hour * 23, y: 20 + d * 20, width: 22, height: 19, class: v === null ? "dim" : shade(v / most) },
    s("title", {}, `${WEEKDAYS[d]} ${hour}:00: ${v === null ? "not watched" : `${v} in an hour`}`))));
  const marks = [...WEEKDAYS.map((d, i) => s("text", { x: 4, y: 34 + i * 20 }, d)), ...[0, 6, 12, 18].map((x) => s("text", { x: 40 + x * 23, y: 14 }, `${x}:00`))];
  return h("div", {}, h("h3", {}, `${WORDS[who]} in an hour, by weekday and hour (${told.timezone})`),
    s("svg", { viewBox: "0 0 600 165", role: "img", "aria-label": `${WORDS[who]} by weekday and hour; the table below says the same` }, ...cells, ...marks),
    key(`from 0 to ${most} different ones in an hour, on average; grey: not watched`),
    h("details", {}, h("summary", {}, "As a table"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${WORDS[who]} by hour` },
      table(["Weekday", ...[...Array(24).keys()].map((x) => number(x))], rows.map((row, d) => [WEEKDAYS[d], ...row.map((v) => v ?? "–")]), "Different ones in an hour"))));
}

function load(told) {
  const { load, per_hour: counts } = told.alarms;
  const most = Math.max(6, ...counts), w = 560 / counts.length, y = (n) => 150 - (130 * n) / most;
  const bars = counts.flatMap((n, i) => (n ? [s("rect", { x: 35 + i * w, y: y(n), width: Math.max(w - (w > 3 ? 1 : 0), 0.5), height: 150 - y(n), class: n > 6 ? "many" : "few" }, s("title", {}, `${n} alarms in the hour from ${utc(String(BigInt(told.since_ns) + BigInt(i) * 3_600_000_000_000n))}`))] : []));
  const line = [s("path", { d: `M35 ${y(6)}H595`, class: "line dashed" }), s("text", { x: 4, y: y(6) + 4 }, "6"), s("text", { x: 4, y: y(most) + 4 }, String(most)), s("text", { x: 4, y: 154 }, "0")];
  const flood = load.longest_flood;
  const facts = [
    ["Alarms", load.alarms, ""], ["In ten minutes, on average", load.average_10_min.toFixed(2), load.average_met ? "target under 1: met" : "target under 1: NOT met"],
    ["In the busiest ten minutes", load.peak_10_min, load.peak_met ? "target under 10: met" : "target under 10: NOT met"],
    ["Floods", load.floods, flood ? `longest ${utc(flood.since_ns)} to ${utc(flood.until_ns)}, ${flood.alarms} alarms` : ""],
    ["Acknowledged", percent(told.alarms.acknowledged_share), ""], ["Cleared, seen by nobody", percent(told.alarms.cleared_unseen_share), ""],
    ["of which within a minute", percent(told.alarms.fleeting_share), "likely a nuisance"], ["Raised again within ten minutes", percent(told.alarms.again_share), "likely a nuisance"],
    ...Object.entries(told.alarms.by_rule).map(([rule, n]) => [`Rule: ${rule}`, n, ""]),
  ];
  return h("div", {}, h("h3", {}, "Alarm load"),
    s("svg", { viewBox: "0 0 600 160", role: "img", "aria-label": `Alarms per hour, ${load.alarms} in all` }, ...bars, ...line),
    h("p", { class: "key" }, "alarms per hour; dashed and orange: more than six an hour, one in ten minutes"), table(["Measure", number("Value"), "Remark"], facts, "Load and shares"));
}

async function stats() {
  const box = $("charts");
  try {
    const told = await ask("/v1/stats", { ...times(), tz: $("tz").value.trim() });
    const who = WHO.filter((w) => told.identities[w] > 0);
    box.replaceChildren(
      h("p", {}, `Watched ${told.watched_h} hours: ${WHO.map((w) => `${told.identities[w]} ${WORDS[w].replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase())}`).join(", ")}.`),
      load(told), h("h3", {}, "Where tracks were"), heat(told, "track"), h("h3", {}, "Where claims were"), heat(told, "claim"), ...who.map((w) => hours(told, w)),
      h("h3", {}, "Feeds"), table(["Feed", number("Up"), number("Minutes"), number("Messages"), number("Refused")], told.feeds.map((f) => [f.feed, percent(f.uptime), f.watched_min, f.messages, f.faults]), "Share of the minutes watched in which the feed was never silent"),
      h("h3", {}, "Seen on two days or more"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Repeat visitors" },
        table(["Name", "Who", number("Days"), number("Minutes"), "First", "Last"], told.visitors.map((v) => [v.name || v.id, v.who.replace("_", " "), v.days, v.minutes, utc(v.first_ns), utc(v.last_ns)]), `By what they say of themselves; ${told.visitors_left_out} more`)),
    );
  } catch (error) {
    box.replaceChildren(h("p", { "data-wrong": "" }, error.message));
  }
  counters.stats += 1;
}

// ---- hand-over

async function handover() {
  $("paper").href = `/v1/handover?${new URLSearchParams({ ...times(), format: "html" })}`;
  try {
    say($("handover"), await ask("/v1/handover", { ...times(), format: "text" }));
  } catch (error) {
    say($("handover"), error.message, true);
  }
  counters.handovers += 1;
}
async function leave(event) {
  event.preventDefault();
  try {
    const act = await ask("/v1/handover", {}, { name: $("by").value, note: $("note").value });
    localStorage.setItem("lapwing.name", $("by").value);
    $("note").value = "";
    say($("left"), `Kept as act ${act.act}. It is shown on top of the next hand-over.`);
    $("to").value = field(ms(act.picture_ns) + 1000);
    await handover();
  } catch (error) {
    say($("left"), error.message.includes("only shows") ? "Nobody may leave notes here: [web] acts." : error.message, true);
  }
}

// ---- files to take away

const AGAIN_MS = 1500;
async function taken() {
  const { offered, taken: files } = await ask("/v1/taken", {});
  $("taking").hidden = !offered;
  $("taken").replaceChildren(...files.map((f) => {
    const about = `${utc(f.since_ns)} to ${utc(f.until_ns)}, by ${f.name}${f.note && `: ${f.note}`}`;
    const head = f.state === "done" ? h("a", { href: `/v1/taken/${f.file}`, download: f.file }, f.file) : f.file;
    const state = { making: "is being made", failed: `could not be made: ${f.why}`, done: `${(f.size / 1e6).toFixed(2)} MB` }[f.state];
    return h("li", { "data-state": f.state }, head, ` ${state}. ${about}`);
  }));
  if (files.some((f) => f.state === "making")) setTimeout(() => void taken(), AGAIN_MS);
}
async function take(event) {
  event.preventDefault();
  const { from, to } = span();
  const withhold = { "": null, true: true, false: false }[$("withhold").value];
  try {
    const { file } = await ask("/v1/taken", {}, { form: $("form").value, since_ns: ns(from), until_ns: ns(to), withhold, name: $("taker").value, note: $("reason").value });
    localStorage.setItem("lapwing.name", $("taker").value);
    say($("taken-told"), `${file} is being made.`);
    await taken();
  } catch (error) {
    say($("taken-told"), error.message, true);
  }
}
// ---- the time looked at, in the address

async function show() {
  const { from, to } = span();
  if (!(from < to)) {
    say($("told"), "The time must end after it begins.", true);
    return;
  }
  say($("told"), "");
  const words = new URLSearchParams({ from: $("from").value, to: $("to").value });
  for (const name of ["identity", "who", "kind", "zone", "box", "tz"]) if ($(name).value) words.set(name, $(name).value);
  history.replaceState(null, "", `#${words}`);
  await Promise.all([search(), stats(), handover()]);
}
async function now() {
  const told = await ask("/healthz", {});
  return told.time_ns ? ms(told.time_ns) + 1000 : Date.now();
}
async function back(hoursBack) {
  const to = await now();
  $("from").value = field(to - hoursBack * HOUR_MS);
  $("to").value = field(to);
  await show();
}

site = await ask("/v1/site", {});
say($("site-name"), site.name);
document.title = `History: ${site.name}`;
for (const f of site.features) if (f.properties.kind === "zone") $("zone").append(h("option", {}, f.properties.name));
$("by").value = $("taker").value = localStorage.getItem("lapwing.name") ?? "";
const wish = new URLSearchParams(location.hash.slice(1));
for (const name of ["identity", "who", "kind", "zone", "box", "tz", "from", "to"]) if (wish.has(name)) $(name).value = wish.get(name);
$("period").addEventListener("submit", (event) => { event.preventDefault(); void show(); });
$("question").addEventListener("submit", (event) => { event.preventDefault(); void show(); });
$("leave").addEventListener("submit", leave);
$("take").addEventListener("submit", take);
void taken();
$("tz").addEventListener("change", () => void show());
$("more").addEventListener("click", () => void search(next));
for (const b of document.querySelectorAll("[data-hours]")) b.addEventListener("click", () => void back(Number(b.dataset.hours)));
await (span().from < span().to ? show() : back(24));
