import * as FileSystem from "@effect/platform/FileSystem"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"

const { home } = TestProdigy.places

/** Every path in the storage, sorted. */
export const stored = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(home))) return []
  return (yield* fs.readDirectory(home, { recursive: true })).toSorted()
})

/** What only a crash leaves behind: files half written, locks, guards, probes. */
export const leftovers = Effect.map(stored, (paths) =>
  paths.filter((path) => /\.prodigy-tmp-|\.lock\b|\.guard\b|\.write-probe$/.test(path))
)

/**
 * Branches that have nothing which is not in main, and the session's own. What an attempt had committed whose end was not
 * recorded stays on a branch of its own.
 */
export const mergedRefs = (git: MemoryWorkspace.Git): ReadonlyArray<string> => {
  const merged = new Set(MemoryWorkspace.history(git, "refs/heads/main").map(({ id }) => id))
  return Object.entries(git.refs)
    .filter(([ref, id]) => ref.startsWith("refs/heads/") && ref !== "refs/heads/main" && merged.has(id))
    .map(([ref]) => ref)
}
