// Writes sources.json beside the built page: SHA-256 of every source file, so that a test without Node sees a stale build.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const files = ["index.html", "package-lock.json", "symbols.mjs", "vite.config.ts", ...readdirSync("src").map((f) => `src/${f}`)].sort();
const hashes = Object.fromEntries(files.map((f) => [f, createHash("sha256").update(readFileSync(f)).digest("hex")]));
writeFileSync("../src/lapwing/serve/static/sources.json", JSON.stringify(hashes, null, 1) + "\n");

// The licences of what is bundled travel with it.
const bundled = { "maplibre-gl": "LICENSE.txt", pmtiles: "LICENSE", fflate: "LICENSE", "@fontsource/open-sans": "LICENSE" };
const notices = Object.entries(bundled).map(([name, file]) => {
  let text = "";
  try { text = readFileSync(`node_modules/${name}/${file}`, "utf8"); } catch { text = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).license + " (its package holds no licence text)"; }
  return `${name}\n${"=".repeat(name.length)}\n${text.trim()}\n`;
});
notices.push("basemap.pmtiles\n===============\nMade with Natural Earth (public domain), through world-atlas (ISC, Michael Bostock);\nairfields: airportsdata (MIT, Mike Borsetti).\n");
writeFileSync("../src/lapwing/serve/static/THIRD-PARTY.txt", notices.join("\n"));
