// Bundles the command into dist/prodigy.cjs, without dependencies, and its bytecode into dist/prodigy.cache. Runs as `prepare`, so
// `npm ci` is enough.
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const kilobytesMax = 3_000
const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const outfile = at("../dist/prodigy.cjs")
// Written beside and renamed, so that a `prodigy` that starts meanwhile finds the old bundle or the new one.
const unfinished = at(`../dist/.prodigy-${process.pid}.cjs`)

mkdirSync(at("../dist"), { recursive: true })
try {
  await build({
    entryPoints: [at("../src/bin.ts")],
    outfile: unfinished,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    define: { "import.meta.url": "__url" },
    conditions: ["@prodigy/source"],
    // No keepNames: it defines a property on every closure that is made, which costs a job milliseconds for each item.
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    // The whole file is one function, so that the launcher compiles what is on the disk, as it is.
    banner: { js: "(function (require, __url) {" },
    footer: { js: "})" }
  })
  const kilobytes = Math.ceil(statSync(unfinished).size / 1024)
  if (kilobytes > kilobytesMax) throw new Error(`The bundle has ${kilobytes} KiB; the limit is ${kilobytesMax}.`)
  renameSync(unfinished, outfile)
  console.log(`dist/prodigy.cjs: ${kilobytes} KiB`)
} finally {
  rmSync(unfinished, { force: true })
}

// What one small job needs is what most commands need to start.
const place = mkdtempSync(join(tmpdir(), "prodigy-bundle-"))
try {
  const env = { ...process.env, HOME: place, PRODIGY_HOME: join(place, "home"), GIT_CONFIG_GLOBAL: "/dev/null" }
  const run = (program, args) => {
    const { error, status, stderr } = spawnSync(program, args, { cwd: place, env, encoding: "utf8" })
    if (error !== undefined || status !== 0) throw error ?? new Error(stderr)
  }
  const who = ["-c", "user.name=prodigy", "-c", "user.email=prodigy@localhost"]
  run("git", ["init", "-q"])
  run("git", [...who, "commit", "-q", "--allow-empty", "-m", "start"])
  writeFileSync(
    join(place, "small.yml"),
    "name: small\nmode: mapreduce\nmap:\n  input: { items: [1] }\n  agent_template:\n    - shell: echo 1 > one\n"
  )
  run(process.execPath, [at("codeCache.mjs"), "run", join(place, "small.yml"), "--yes"])
  console.log(`dist/prodigy.cache: ${Math.ceil(statSync(at("../dist/prodigy.cache")).size / 1024)} KiB`)
} catch (error) {
  // The command works without, only slower.
  rmSync(at("../dist/prodigy.cache"), { force: true })
  console.warn(`No bytecode was made: ${error.message}`)
} finally {
  rmSync(place, { recursive: true, force: true })
}
