// The built page goes into the Python package, beside the base map, and is committed: a clone runs without Node.
import { rmSync } from "node:fs";
import { defineConfig } from "vite";

const out = "../src/lapwing/serve/static";

export default defineConfig({
  plugins: [
    {
      name: "clear the last build, keep the base map",
      apply: "build",
      buildStart: () => rmSync(`${out}/assets`, { recursive: true, force: true }),
    },
  ],
  build: {
    outDir: out,
    emptyOutDir: false,
    modulePreload: false,
    assetsInlineLimit: 0, // no data: URLs, the Content-Security-Policy is strict
    target: "es2022",
    chunkSizeWarningLimit: 1600,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8765", ws: true }, "/basemap.pmtiles": "http://127.0.0.1:8765" } },
});
