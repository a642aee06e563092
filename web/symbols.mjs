// Draws src/symbols.svg, the atlas of symbols: rows of APP-6 symbols by what is known of an identity, and a row of civil
// silhouettes. Run by `npm run build`; milsymbol (MIT) is a tool of the build and does not travel with the page.
//
// Identities are PENDING, UNKNOWN and NEUTRAL, and no others exist here: this picture never calls anything friend, suspect
// or hostile. A person may think so; the symbol does not.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const ms = createRequire(import.meta.url)("milsymbol");
const CELL = 64;
const IDENTITIES = { pending: "0", unknown: "1", neutral: "4" }; // standard identity, the 4th digit of a SIDC of APP-6D
// Symbol set and entity, by the codes of a track's kind. APP-6 has no multirotors and no birds: a multirotor is a civilian
// unmanned aircraft, a bird is in the air and no more is said.
const KINDS = { unknown: ["01", "000000"], multirotor: ["01", "120300"], "fixed-wing drone": ["01", "120300"], bird: ["01", "000000"], aircraft: ["01", "120100"], helicopter: ["01", "120200"], ship: ["30", "140000"], ground: ["15", "160100"] };

ms.setStandard("APP6");
function app6(identity, [set, entity]) {
  const sidc = `100${identity}${set}0000${entity}0000`;
  const symbol = new ms.Symbol(sidc, { size: 30, civilianColor: false, outlineWidth: 3, outlineColor: "white" });
  if (!symbol.isValid()) throw new Error(`${sidc} is no symbol`);
  const { width, height } = symbol.getSize();
  const inner = symbol.asSVG().replace(/^<svg[^>]*viewBox="([^"]+)"[^>]*>/, (_, box) =>
    `<svg x="X" y="Y" width="${width}" height="${height}" viewBox="${box}">`);
  return { sidc, inner, width, height };
}

// White where the track's colour goes, black around it; north is up. A box of 64.
const SILHOUETTES = {
  unknown: "",
  multirotor: "M20 20 44 44M44 20 20 44M20 12a8 8 0 1 0 .01 0M44 12a8 8 0 1 0 .01 0M20 36a8 8 0 1 0 .01 0M44 36a8 8 0 1 0 .01 0M32 26v-6",
  "fixed-wing drone": "M32 10V52M10 30H54M24 50H40",
  bird: "M8 26q12-6 24 8 12-14 24-8M32 34v10",
  aircraft: "M32 8V54M32 24 8 40M32 24 56 40M32 46 22 54M32 46 42 54",
  helicopter: "M32 16V50M14 12 50 44M50 12 14 44M25 52H39",
  ship: "M32 8 42 24V52H22V24z",
  ground: "M20 16H44V48H20zM14 20v8M50 20v8M14 36v8M50 36v8M32 8v6",
};
const silhouette = (d) => d && `<path d="${d}" fill="none" stroke="black" stroke-width="11"/><path d="${d}" fill="none" stroke="white" stroke-width="6"/>`;

const kinds = Object.keys(KINDS);
const cells = [];
const table = [];
for (const [row, [name, digit]] of Object.entries(IDENTITIES).entries()) {
  for (const [column, kind] of kinds.entries()) {
    const { sidc, inner, width, height } = app6(digit, KINDS[kind]);
    table.push(sidc);
    cells.push(inner.replace('x="X"', `x="${column * CELL + (CELL - width) / 2}"`).replace('y="Y"', `y="${row * CELL + (CELL - height) / 2}"`));
    void name;
  }
}
const row = Object.keys(IDENTITIES).length;
for (const [column, kind] of kinds.entries()) cells.push(`<svg x="${column * CELL}" y="${row * CELL}" width="${CELL}" height="${CELL}" viewBox="0 0 64 64" stroke-linecap="round" stroke-linejoin="round">${silhouette(SILHOUETTES[kind])}</svg>`);

const [w, h] = [kinds.length * CELL, (row + 1) * CELL];
writeFileSync("src/symbols.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">\n${cells.join("\n")}\n</svg>\n`);
writeFileSync("src/symbols.json", JSON.stringify({ identities: Object.keys(IDENTITIES), kinds, app6: table, silhouettes: Object.values(SILHOUETTES) }, null, 1) + "\n");
