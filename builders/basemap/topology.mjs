// Natural Earth 1:10 m (package world-atlas) as plain GeoJSON on stdout: land polygons, coast and border lines, countries.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { feature, mesh } from "topojson-client";

const path = createRequire(import.meta.url).resolve("world-atlas/countries-10m.json");
const world = JSON.parse(readFileSync(path, "utf8"));
const { land, countries } = world.objects;
process.stdout.write(
  JSON.stringify({
    land: feature(world, land).features.map((f) => f.geometry),
    coast: mesh(world, countries, (a, b) => a === b),
    border: mesh(world, countries, (a, b) => a !== b),
    countries: feature(world, countries).features.map((f) => ({ name: f.properties.name, geometry: f.geometry })),
  }),
);
