// Puts the optional packages of every platform into package-lock.json.
//
// npm leaves out those that it cannot look up when it writes the lock, and `npm ci` then refuses the lock, on every
// platform. What is put in has a version and a platform but no integrity hash; npm adds that where it can.
import { readFileSync, writeFileSync } from "node:fs"

const path = new URL("../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(path, "utf8"))
const systems = "android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32|aix"
const processors = "arm64|arm|x64|ia32|ppc64le|ppc64|riscv64|s390x|loong64|mips64el"
const platform = new RegExp(`(${systems})-(${processors})(?:-(gnu|musl))?`)

const entryOf = (name, version, parent) => {
  const [, os, cpu, libc] = platform.exec(name) ?? []
  if (os === undefined) throw new Error(`${name}: its name says no platform`)
  return {
    version,
    cpu: [cpu],
    ...(parent.dev ? { dev: true } : {}),
    ...(os === "linux" && libc !== undefined ? { libc: [libc === "gnu" ? "glibc" : "musl"] } : {}),
    optional: true,
    os: [os]
  }
}

const added = {}
for (const [place, parent] of Object.entries(lock.packages)) {
  if (place === "") continue
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const known = [`node_modules/${name}`, `${place}/node_modules/${name}`].some((one) => one in lock.packages)
    // Only exact versions name one package; all platform packages are named so.
    if (known || !/^\d+\.\d+\.\d+/.test(version)) continue
    added[`node_modules/${name}`] = entryOf(name, version, parent)
  }
}
const places = Object.entries({ ...lock.packages, ...added }).sort(([one], [other]) => (one < other ? -1 : 1))
writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(places) }, null, 2)}\n`)
console.log(`${Object.keys(added).length} added`)
