/**
 * What steps printed: the transcripts of a session, found by item, read and followed.
 *
 * Owns which transcript belongs to what, told by its name. Reads only, in constant memory. What it gives is what programs
 * wrote, control characters included; who shows it makes it harmless.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Stream from "effect/Stream"
import { AtomicFile, type StorageError } from "../storage/AtomicFile.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import { itemOf } from "./Explain.ts"
import { Inspect, type InspectError, type Known } from "./Inspect.ts"

/**
 * A transcript.
 *
 * @since 0.1.0
 * @category models
 */
export interface Log {
  readonly path: string
  /** Null: a step of setup, of reduce, of a standard workflow. */
  readonly itemId: ItemId | null
  /** The step and what else its name tells: `shell-make-test`, `setup-shell-npm-ci`. */
  readonly name: string
  /** What an agent streamed (JSONL), or the output of a command. */
  readonly kind: "agent" | "shell"
  readonly bytes: number
  readonly modifiedAtMillis: number
}

/**
 * One line of a transcript.
 *
 * @since 0.1.0
 * @category models
 */
export interface LogLine {
  readonly log: Log
  readonly text: string
}

/**
 * Whose transcripts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Query {
  readonly projectPath: string
  readonly id: string
  /** An item's id, or the unique beginning of one; null: all. */
  readonly item: string | null
  /** Only the one that was written last. */
  readonly latest: boolean
}

/**
 * Characters after which a line is broken, that memory stays bounded.
 *
 * @since 0.1.0
 * @category models
 */
export const lineCharsMax = 64 * 1024

/**
 * Milliseconds between two looks at transcripts that are followed.
 *
 * @since 0.1.0
 * @category models
 */
export const lookMillis = 300

/**
 * @since 0.1.0
 * @category services
 */
export class Logs extends Context.Tag("@prodigy/core/engine/Logs")<
  Logs,
  {
    /** The transcripts, in the order in which they were last written. */
    readonly list: (
      query: Query
    ) => Effect.Effect<{ readonly known: Known; readonly logs: ReadonlyArray<Log> }, InspectError>
    /** A transcript's lines, its unfinished last one included. */
    readonly read: (log: Log) => Stream.Stream<LogLine, StorageError>
    /** As `read` of all, and then what is written from now on, until nobody drives the session any more. */
    readonly follow: (query: Query) => Stream.Stream<LogLine, InspectError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const home = yield* ProdigyHome
  const inspect = yield* Inspect
  const jobs = yield* JobStore
  const sessions = yield* SessionStore

  const list = Effect.fn("Logs.list")(function* ({ id, item, latest, projectPath }: Query) {
    const known = yield* inspect.known({ projectPath, id })
    const { jobId, repo, sessionId } = known
    const items = jobId === null ? [] : ((yield* jobs.loadItems(repo, jobId)) ?? [])
    const asked = item === null ? null : yield* itemOf(items, jobId ?? sessionId, item)
    const found: Array<Log> = []
    const directory = home.repo(repo).logs
    for (const run of yield* file.list(directory)) {
      for (const name of yield* file.list(`${directory}/${run}`)) {
        const about = aboutOf(sessionId, name)
        const itemId = about?.index == null ? null : (items[about.index]?.id ?? null)
        if (about === null || (asked !== null && itemId !== asked.id)) continue
        const path = `${directory}/${run}/${name}`
        const info = yield* file.info(path)
        if (info === null) continue
        const { bytes, modifiedAt: modifiedAtMillis } = info
        found.push({ path, itemId, name: about.name, kind: about.kind, bytes, modifiedAtMillis })
      }
    }
    const logs = found.toSorted(oldestFirst)
    return { known, logs: latest ? logs.slice(-1) : logs }
  })

  const read = (log: Log) => linesOf(file.streamBytes(log.path), log)

  const isLive = ({ sessionId }: Known) =>
    sessions.get(sessionId).pipe(
      Effect.flatMap(sessions.show),
      Effect.map(({ shown }) => shown === "Running" || shown === "Initializing"),
      Effect.catchTags({
        DamagedFile: () => Effect.succeed(false),
        SessionNotFound: () => Effect.succeed(false)
      })
    )

  const follow = (query: Query): Stream.Stream<LogLine, InspectError> =>
    Stream.suspend(() => {
      const seen = new Map<string, number>()
      let over = false
      let waitMillis = 0
      const look = Effect.gen(function* () {
        if (over) return yield* Effect.fail(Option.none())
        yield* Effect.sleep(waitMillis)
        waitMillis = lookMillis
        const before = yield* list(query).pipe(Effect.mapError(Option.some))
        const live = yield* Effect.mapError(isLive(before.known), Option.some)
        over = !live
        // Asked before and looked at again: what is not there when nobody writes any more will never be.
        const { logs } = live ? before : yield* list(query).pipe(Effect.mapError(Option.some))
        return Stream.flatMap(
          Stream.fromIterable(logs.filter(({ bytes, path }) => bytes > (seen.get(path) ?? 0))),
          (log) => gained(log, live, seen)
        )
      })
      return Stream.flatten(Stream.repeatEffectOption(look))
    })

  /** Lines behind what was seen; the unfinished last one only when nobody goes on with it. */
  const gained = (log: Log, live: boolean, seen: Map<string, number>) =>
    Stream.suspend(() => {
      const from = seen.get(log.path) ?? 0
      let at = from
      let whole = from
      const counted = Stream.tap(file.streamBytes(log.path, from), (bytes) =>
        Effect.sync(() => {
          const end = bytes.lastIndexOf(lineFeed)
          if (end >= 0) whole = at + end + 1
          at += bytes.length
        })
      )
      const lines = linesOf(counted, log, !live)
      // Not a finalizer: it has to be known before the next look.
      return Stream.concat(lines, Stream.execute(Effect.sync(() => void seen.set(log.path, live ? whole : at))))
    })

  return Logs.of({ list, read, follow })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Logs, never, AtomicFile | Inspect | JobStore | ProdigyHome | SessionStore> =
  Layer.effect(Logs, make)

const lineFeed = 0x0a

const oldestFirst: Order.Order<Log> = Order.combine(
  Order.mapInput(Order.number, ({ modifiedAtMillis }: Log) => modifiedAtMillis),
  Order.mapInput(Order.string, ({ path }: Log) => path)
)

/** What a transcript's name tells, as `TranscriptStore` gives it; null: another session's, or no transcript. */
const aboutOf = (
  sessionId: string,
  name: string
): { readonly index: number | null; readonly name: string; readonly kind: Log["kind"] } | null => {
  const [, stem, extension] = /^(.*)\.(jsonl|log)$/s.exec(name) ?? []
  if (stem === undefined || !stem.startsWith(`${sessionId}-`)) return null
  const rest = stem.slice(sessionId.length + 1)
  const [, index, step] = /^mapreduce-[\d_]+_agent_(\d+)-(.*)$/s.exec(rest) ?? []
  return {
    index: index === undefined ? null : Number(index),
    name: step ?? rest,
    kind: extension === "jsonl" ? "agent" : "shell"
  }
}

/** Lines of bytes, decoded as well as can be; one without an end is broken. */
const linesOf = <E>(bytes: Stream.Stream<Uint8Array, E>, log: Log, withUnfinished = true): Stream.Stream<LogLine, E> =>
  Stream.suspend(() => {
    let rest = ""
    const text = Stream.decodeText(bytes)
    const whole = Stream.mapConcat(text, (part) => {
      const lines = (rest + part).split("\n")
      rest = lines.pop() ?? ""
      while (rest.length > lineCharsMax) {
        lines.push(rest.slice(0, lineCharsMax))
        rest = rest.slice(lineCharsMax)
      }
      return lines
    })
    const last = Stream.suspend(() => (withUnfinished && rest !== "" ? Stream.succeed(rest) : Stream.empty))
    return Stream.map(Stream.concat(whole, last), (line) => ({ log, text: line.replace(/\r$/, "") }))
  })
