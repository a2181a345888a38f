import * as FileSystem from "@effect/platform/FileSystem"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"

/** What journals on the disk say of items, by their indexes. */
export interface Recorded {
  readonly completed: ReadonlySet<number>
  readonly failed: ReadonlyMap<number, number>
}

/** Reads the text of all journals, not through the stores that are tested. */
export const recordedItems = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const completed = new Set<number>()
  const failed = new Map<number, number>()
  const { home } = TestProdigy.places
  if (!(yield* files.exists(home))) return { completed, failed } satisfies Recorded
  for (const path of yield* files.readDirectory(home, { recursive: true })) {
    if (!path.endsWith("/journal.jsonl")) continue
    const text = yield* files.readFileString(`${home}/${path}`)
    // A torn line is not acknowledged.
    const whole = text.slice(0, text.lastIndexOf("\n") + 1)
    for (const [, type, digits] of whole.matchAll(/"type":"item_(completed|failed)","index":(\d+)\b/g)) {
      const index = Number(digits)
      if (type === "completed") completed.add(index)
      else failed.set(index, (failed.get(index) ?? 0) + 1)
    }
  }
  return { completed, failed } satisfies Recorded
})
