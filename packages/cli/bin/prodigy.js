#!/usr/bin/env node
// The launcher. Answers --version by itself: loading the program for one line would take most of the time.
import { existsSync, readFileSync } from "node:fs"

const [first, ...rest] = process.argv.slice(2)

if (rest.length === 0 && (first === "--version" || first === "-V")) {
  console.log(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version)
} else if (existsSync(new URL("../dist/prodigy.cjs", import.meta.url))) {
  const { load } = await import("./load.js")
  load()
} else {
  console.error("error: prodigy is not built.\n  Run: npm run build")
  process.exitCode = 1
}
