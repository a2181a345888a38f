/**
 * `prodigy logs`.
 *
 * @since 0.1.0
 */
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import { latest } from "@prodigy/core/engine/Inspect"
import { type Log, type LogLine, Logs } from "@prodigy/core/engine/Logs"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import * as Json from "../Render/Json.ts"
import { heading, line as renderLine, logs as renderLogs } from "../Render/Logs.ts"
import * as SeeingJson from "../Render/SeeingJson.ts"
import { Screen } from "../Screen.ts"
import * as flags from "./flags.ts"

const id = Flag.optionalArgument("ID", "A session, a job, the beginning of either, or latest; left out: latest")

const item = Flag.value("item", {
  value: "ITEM",
  description: "Only what steps of this item printed: its id, or the beginning of it",
  read: Flag.text,
  otherwise: null
})

const onlyLatest = Flag.on("latest", { description: "Only the one that was written last" })

const follow = Flag.on("follow", { alias: "f", description: "Go on with what is printed, until the run ends" })

const summary = Flag.on("summary", { description: "List what there is instead of what is in it" })

const raw = Flag.on("raw", { description: "As it was written: colours, control characters, an agent's JSON" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandLogs = CommandTree.leaf({
  name: "logs",
  summary: "Show what agents said and commands printed",
  args: { id },
  flags: { item, latest: onlyLatest, follow, summary, raw, path: flags.path, json: flags.json },
  json: JsonOutput.lines(SeeingJson.LogLine, SeeingJson.LogSummary),
  examples: [
    { line: "prodigy logs latest --item item_7", does: "what became of item_7, step by step" },
    { line: "prodigy logs --follow", does: "what the latest run prints, as it prints it" },
    { line: "prodigy logs --summary", does: "which transcripts there are" }
  ],
  handler: ({ args, flags: given }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const service = yield* Logs
      const query = {
        projectPath: yield* flags.project(given.path),
        id: args.id ?? latest,
        item: given.item,
        latest: given.latest
      }
      if (given.follow && !given.summary) return yield* show(service.follow(query), given)
      const { known, logs } = yield* service.list(query)
      if (logs.length === 0) return yield* screen.note(`Nothing is printed by ${known.sessionId} yet.`)
      if (given.summary) return yield* summarise(logs, given.json)
      yield* show(Stream.flatMap(Stream.fromIterable(logs), service.read), given)
    })
})

/** Lines printed at once: one write for many, and memory that stays small. */
const linesPerWrite = 256

const show = Effect.fnUntraced(function* <E, R>(
  lines: Stream.Stream<LogLine, E, R>,
  given: { readonly json: boolean; readonly raw: boolean }
) {
  const screen = yield* Screen
  let above = ""
  const textOf = (one: LogLine): Effect.Effect<ReadonlyArray<string>> => {
    if (given.json)
      return Effect.map(Json.render(SeeingJson.LogLine, { ...about(one.log), line: one.text }), (text) => [text])
    const head = one.log.path === above ? [] : [...(above === "" ? [] : [""]), heading(one.log, screen.dataStyle)]
    above = one.log.path
    return Effect.succeed([...head, ...(given.raw ? [one.text] : renderLine(one))])
  }
  yield* lines.pipe(
    Stream.mapEffect(textOf),
    Stream.flattenIterables,
    Stream.chunks,
    Stream.flatMap((chunk) => Stream.fromIterable(Chunk.chunksOf(chunk, linesPerWrite))),
    Stream.runForEach((chunk) => (Chunk.isEmpty(chunk) ? Effect.void : screen.data(Chunk.join(chunk, "\n"))))
  )
})

const summarise = Effect.fnUntraced(function* (logs: ReadonlyArray<Log>, asJson: boolean) {
  const screen = yield* Screen
  if (asJson) {
    return yield* Effect.forEach(logs, (log) => {
      const value = { ...about(log), bytes: log.bytes, modified_at: Timestamp.fromMillis(log.modifiedAtMillis) }
      return Effect.flatMap(Json.render(SeeingJson.LogSummary, value), screen.data)
    })
  }
  const columns = yield* screen.dataColumns
  const nowMillis = yield* Clock.currentTimeMillis
  yield* screen.data(renderLogs(logs, { nowMillis, style: screen.dataStyle, columns }))
}, Effect.asVoid)

const about = ({ itemId, kind, name, path }: Log) => ({ path, item_id: itemId, name, kind })
