// Bundles the command into dist/prodigy.js: one ESM file without dependencies. Runs as `prepare`, so `npm ci` is enough.
import { build } from "esbuild"
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs"
import { fileURLToPath } from "node:url"

const kilobytesMax = 3_000
const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const outfile = at("../dist/prodigy.js")
// Written beside and renamed, so that a `prodigy` that starts meanwhile finds the old bundle or the new one.
const unfinished = at(`../dist/.prodigy-${process.pid}.js`)

mkdirSync(at("../dist"), { recursive: true })
try {
  await build({
    entryPoints: [at("../src/bin.ts")],
    outfile: unfinished,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["@prodigy/source"],
    // No keepNames: it defines a property on every closure that is made, which costs a job milliseconds for each item.
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
    }
  })
  const kilobytes = Math.ceil(statSync(unfinished).size / 1024)
  if (kilobytes > kilobytesMax) throw new Error(`The bundle has ${kilobytes} KiB; the limit is ${kilobytesMax}.`)
  renameSync(unfinished, outfile)
  console.log(`dist/prodigy.js: ${kilobytes} KiB`)
} finally {
  rmSync(unfinished, { force: true })
}
