/**
 * The room on this host's disks, through Node's `statfs` and `lstat`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type { Stats } from "node:fs"
import { lstat, opendir, statfs } from "node:fs/promises"
import { StorageError } from "../AtomicFile.ts"
import { DiskSpace, type Usage } from "../DiskSpace.ts"

/** Entries that are looked at at a time. */
const concurrencyMax = 32

const usageOf = (info: Stats): Usage => ({
  // Undefined on Windows.
  bytes: info.blocks === undefined ? info.size : info.blocks * 512,
  files: info.isDirectory() ? 0 : 1
})

const isGone = (error: unknown): boolean =>
  Predicate.hasProperty(error, "code") && (error.code === "ENOENT" || error.code === "ENOTDIR")

/** Undefined for what is gone meanwhile. */
const unlessGone = async <A>(looked: Promise<A>): Promise<A | undefined> => {
  try {
    return await looked
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Depth first, so that only directories on the way are waiting; names are read as they come. */
const walk = async (root: string, signal: AbortSignal): Promise<Usage | null> => {
  const top = await unlessGone(lstat(root))
  if (top === undefined) return null
  let { bytes, files } = usageOf(top)
  const waiting = top.isDirectory() ? [root] : []
  const look = async (path: string) => {
    const info = await unlessGone(lstat(path))
    if (info === undefined) return
    const usage = usageOf(info)
    bytes += usage.bytes
    files += usage.files
    if (info.isDirectory()) waiting.push(path)
  }
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const directory = await unlessGone(opendir(path, { bufferSize: 4 * concurrencyMax }))
    if (directory === undefined) continue
    const looking: Array<Promise<void>> = []
    for await (const { name } of directory) {
      looking.push(look(`${path}/${name}`))
      if (looking.length >= concurrencyMax) await Promise.all(looking.splice(0))
    }
    await Promise.all(looking)
    signal.throwIfAborted()
  }
  return { bytes, files }
}

const asked = <A>(path: string, look: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, StorageError> =>
  Effect.tryPromise({
    try: look,
    catch: (error) => {
      const denied = Predicate.hasProperty(error, "code") && (error.code === "EACCES" || error.code === "EPERM")
      const detail = error instanceof Error ? error.message : String(error)
      return new StorageError({ operation: "measure", path, reason: denied ? "permission" : "io", detail })
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DiskSpace> = Layer.succeed(DiskSpace, {
  free: (path) =>
    Effect.tryPromise(() => statfs(path)).pipe(
      // A file system that gives out its inodes as they are needed counts none.
      Effect.map((info) => (info.files > 0 && info.ffree === 0 ? 0 : info.bavail * info.bsize)),
      // Not knowing is an answer here: the path does not exist, or its file system has no such notion.
      Effect.orElseSucceed(() => null)
    ),
  usage: (path) => asked(path, (signal) => walk(path, signal)),
  entry: (path) =>
    Effect.map(
      asked(path, () => unlessGone(lstat(path))),
      (info) => (info === undefined ? null : { ...usageOf(info), isDirectory: info.isDirectory() })
    )
})
