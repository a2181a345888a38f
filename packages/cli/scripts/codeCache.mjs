// Runs one command of the bundle in a folder of its own and keeps the bytecode that V8 has made by its end: `bin/load.js` starts from it.
import { renameSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { cacheUrl, digest, load } from "../bin/load.js"

const unfinished = fileURLToPath(new URL(`.prodigy-${process.pid}.cache`, cacheUrl))

const { script, source } = load()
process.on("exit", () => {
  const bytecode = script.createCachedData()
  writeFileSync(unfinished, Buffer.concat([digest(source, bytecode), bytecode]))
  renameSync(unfinished, cacheUrl)
})
