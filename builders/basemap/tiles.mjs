// Vector tiles z0..7 of the layers on stdin ({name: FeatureCollection}); to stdout: z, x, y, length (uint32 LE), bytes.
import { readFileSync, writeSync } from "node:fs";
import { gzipSync } from "node:zlib";
import GeoJSONVT from "geojson-vt";
import vtpbf from "vt-pbf";

const ZOOM_MAX = 7;
const layers = JSON.parse(readFileSync(0, "utf8"));
const indexes = Object.entries(layers).map(([name, collection]) => [
  name,
  new GeoJSONVT(collection, {
    maxZoom: ZOOM_MAX, indexMaxZoom: ZOOM_MAX, indexMaxPoints: 0, tolerance: 4, extent: 4096, buffer: 64,
  }),
]);
const head = Buffer.alloc(16);
for (let z = 0; z <= ZOOM_MAX; z++) {
  for (let x = 0; x < 1 << z; x++) {
    for (let y = 0; y < 1 << z; y++) {
      const found = {};
      for (const [name, index] of indexes) {
        const tile = index.getTile(z, x, y);
        if (tile) {
          tile.features = tile.features.filter((f) => (f.tags?.zoom ?? 0) <= z);
          if (tile.features.length) found[name] = tile;
        }
      }
      if (!Object.keys(found).length) continue;
      const bytes = gzipSync(vtpbf.fromGeojsonVt(found, { version: 2, extent: 4096 }), { level: 9 });
      [z, x, y, bytes.length].forEach((v, i) => head.writeUInt32LE(v, 4 * i));
      for (const part of [head, bytes]) for (let sent = 0; sent < part.length; ) sent += writeSync(1, part, sent);
    }
  }
}
