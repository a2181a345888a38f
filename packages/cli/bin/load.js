// Loads the bundle with the bytecode that was made of it when it was built: compiling it anew takes a third of a short command.
//
// V8 refuses the bytecode of another version of itself, and looks at nothing else; so the cache begins with a digest over the
// bundle and the bytecode, and one that does not fit is not used.
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { constants, Script } from "node:vm"

const bundleUrl = new URL("../dist/prodigy.cjs", import.meta.url)
export const cacheUrl = new URL("../dist/prodigy.cache", import.meta.url)

const digestBytes = 32

export const digest = (source, bytecode) => createHash("sha256").update(source).update(bytecode).digest()

const bytecodeFor = (source) => {
  let cache
  try {
    cache = readFileSync(cacheUrl)
  } catch {
    return undefined
  }
  const bytecode = cache.subarray(digestBytes)
  return digest(source, bytecode).equals(cache.subarray(0, digestBytes)) ? bytecode : undefined
}

/** Compiles the bundle and runs it. The script, and whether it came out of the cache. */
export const load = () => {
  const source = readFileSync(bundleUrl)
  const cachedData = bytecodeFor(source)
  const script = new Script(source.toString(), {
    filename: fileURLToPath(bundleUrl),
    cachedData,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
  })
  script.runInThisContext()(createRequire(bundleUrl), bundleUrl.href)
  return { script, source, cached: cachedData !== undefined && script.cachedDataRejected === false }
}
