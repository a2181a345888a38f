/**
 * `prodigy events export`.
 *
 * @since 0.1.0
 */
import { Events } from "@prodigy/core/engine/Events"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import { NotAllDone } from "../../NotAllDone.ts"
import * as OutputFile from "../../OutputFile.ts"
import { formats, layout } from "../../Render/EventExport.ts"
import { warned } from "../../Render/Failure.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as own from "./flags.ts"

const format = Flag.value("format", {
  value: "FORMAT",
  description: "json (one array), jsonl (a line each), csv or markdown (json)",
  read: Flag.oneOf(formats),
  otherwise: "json"
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEventsExport = CommandTree.leaf({
  name: "export",
  summary: "Write the events of a job to a file, or to the standard output",
  args: { file: Flag.optionalArgument("FILE", "Where to; replaced when it exists. Left out or -: standard output") },
  flags: { format, ...own.query },
  json: null,
  examples: [
    { line: "prodigy events export events.json", does: "all events of the latest job" },
    { line: "prodigy events export --format csv --event-type agent_failed", does: "what failed, as a table" }
  ],
  handler: ({ args: { file }, flags: { format, ...given } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const scope = yield* own.scopeOf(given, "prodigy events export")
      const { entries } = yield* (yield* Events).stream({ scope, filter: yield* own.filterOf(given) })
      const { between, event, foot, head } = layout(format)
      let first: string | null = null
      let damaged = 0
      let count = 0
      const events = Stream.mapChunksEffect(entries, (chunk) =>
        Effect.gen(function* () {
          let text = ""
          for (const entry of chunk) {
            if (Either.isRight(entry)) {
              text += (count === 0 ? "" : between) + event(entry.right)
              count += 1
            } else {
              first ??= entry.left.message
              damaged += 1
              yield* screen.note(warned(entry.left, screen.noteStyle))
            }
          }
          return Chunk.of(text)
        })
      )
      const text = Stream.make(head).pipe(Stream.concat(events), Stream.concat(Stream.make(foot)))
      if (file === null || file === "-")
        yield* Stream.runForEach(text, (part) => (part === "" ? Effect.void : screen.data(part)))
      else {
        yield* OutputFile.write(file, text)
        yield* screen.note(`${Text.count(count, "event")} written to ${Text.clean(file)}.`)
      }
      if (first !== null) return yield* new NotAllDone({ left: damaged, of: count + damaged, first })
    })
})
