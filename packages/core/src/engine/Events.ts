/**
 * The events of jobs, for people: listed, counted, searched, followed.
 *
 * Owns how the files of a log become answers in constant memory, and that a damaged line is told and stops nothing. Does
 * not own the files (`EventLog`), what a filter means (`EventQuery`), or how long events are kept (`EventRetention`). Reads
 * only, so that it is safe beside a run.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { didYouMean } from "../domain/DidYouMean.ts"
import { type EventRecord, knownFields, knownTypes } from "../domain/Event.ts"
import * as SessionIds from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { EventLog } from "../storage/EventLog.ts"
import type { Entry } from "../storage/EventReader.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock } from "../storage/ResumeLock.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import * as EventQuery from "./EventQuery.ts"
import * as EventScope from "./EventScope.ts"
import { IdNotFound, Inspect, type InspectError } from "./Inspect.ts"

/**
 * Which events, of whom.
 *
 * @since 0.1.0
 * @category models
 */
export interface Query {
  readonly scope: EventScope.Scope
  readonly filter: EventQuery.Filter
}

/**
 * Lines that could not be read and were left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Damage {
  readonly count: number
  /** The first of them. */
  readonly first: ReadonlyArray<DamagedFile>
}

/**
 * Damaged lines that are named; the rest is counted.
 *
 * @since 0.1.0
 * @category models
 */
export const damageShownMax = 10

/**
 * An event that a search found, and where.
 *
 * @since 0.1.0
 * @category models
 */
export interface Hit {
  readonly record: EventRecord
  readonly matches: ReadonlyArray<EventQuery.Match>
}

/**
 * What events can be counted by. `error` is the type of an error.
 *
 * @since 0.1.0
 * @category schemas
 */
export const GroupBy = Schema.Literal("type", "agent", "item", "job", "error", "hour", "day")

/**
 * @since 0.1.0
 * @category models
 */
export type GroupBy = typeof GroupBy.Type

/**
 * How many events there are, and when they were.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Stats = Schema.Struct({
  jobs: Schema.Array(Schema.String).annotations({ description: "ids of the jobs whose events were read" }),
  total: Schema.Int,
  first: Schema.NullOr(Timestamp.Timestamp),
  last: Schema.NullOr(Timestamp.Timestamp),
  damaged: Schema.Int.annotations({ description: "lines that could not be read" }),
  group_by: GroupBy,
  groups: Schema.Array(
    Schema.Struct({
      key: Schema.NullOr(Schema.String).annotations({ description: "null: events that have no such thing" }),
      count: Schema.Int,
      first: Timestamp.Timestamp,
      last: Timestamp.Timestamp
    })
  ).annotations({ description: "the largest first; hours and days in their order" }),
  groups_total: Schema.Int.annotations({ description: "before the limit" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Schema.Schema.Type<typeof Stats> {}

/**
 * Groups that are kept apart; events of further ones are counted under null.
 *
 * @since 0.1.0
 * @category models
 */
export const groupsMax = 100_000

/**
 * @since 0.1.0
 * @category services
 */
export class Events extends Context.Tag("@prodigy/core/engine/Events")<
  Events,
  {
    /** The last `limit` events that pass, oldest first, job after job. `total` counts all that pass. */
    readonly list: (query: Query & { readonly limit: number }) => Effect.Effect<
      {
        readonly jobs: ReadonlyArray<EventScope.Job>
        readonly events: ReadonlyArray<EventRecord>
        readonly total: number
        readonly damage: Damage
      },
      InspectError
    >

    /** As `list`, of the events that a regular expression fits. See `EventQuery.matcher`. */
    readonly search: (
      query: Query & {
        readonly expression: string
        readonly fields: ReadonlyArray<string>
        readonly limit: number
      }
    ) => Effect.Effect<
      {
        readonly jobs: ReadonlyArray<EventScope.Job>
        readonly hits: ReadonlyArray<Hit>
        readonly total: number
        readonly damage: Damage
      },
      InspectError | EventQuery.SearchInvalid
    >

    /** Counts the events that pass; at most `limit` groups are given. */
    readonly stats: (
      query: Query & { readonly groupBy: GroupBy; readonly limit: number }
    ) => Effect.Effect<{ readonly stats: Stats; readonly damage: Damage }, InspectError>

    /** All events that pass, job after job, with the damage between them. */
    readonly stream: (
      query: Query
    ) => Effect.Effect<
      { readonly jobs: ReadonlyArray<EventScope.Job>; readonly entries: Stream.Stream<Entry, StorageError> },
      InspectError
    >

    /**
     * The events of one job that pass, and those that come, until nobody drives it any more and all were given. Waits for
     * the first one of a job that has just begun.
     */
    readonly follow: (options: {
      readonly projectPath: string
      readonly id: string
      readonly filter: EventQuery.Filter
    }) => Effect.Effect<
      { readonly job: EventScope.Job; readonly entries: Stream.Stream<Entry, StorageError> },
      InspectError
    >
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const home = yield* ProdigyHome
  const inspect = yield* Inspect
  const lock = yield* ResumeLock
  const log = yield* EventLog
  const sessions = yield* SessionStore
  const jobsOf = EventScope.jobs({ inspect, home, log })

  const readAll = (jobs: ReadonlyArray<EventScope.Job>): Stream.Stream<Entry, StorageError> =>
    Stream.flatMap(Stream.fromIterable(jobs), ({ jobId, repo }) => log.read(repo, jobId))

  /** Names that no event has: a typing error would otherwise look like an answer. Read are the events only if need be. */
  const check = Effect.fnUntraced(function* (
    jobs: ReadonlyArray<EventScope.Job>,
    asked: {
      readonly types: ReadonlyArray<string>
      readonly fields: ReadonlyArray<string>
      readonly agent: string | null
    }
  ) {
    const missing = {
      types: new Set(asked.types.filter((type) => !knownTypes.has(type))),
      fields: new Set(asked.fields.filter((name) => !allFields.has(name))),
      agents: new Set(asked.agent === null ? [] : [asked.agent])
    }
    const seen = { types: new Set<string>(), fields: new Set<string>(), agents: new Set<string>() }
    const isMissing = () => missing.types.size + missing.fields.size + missing.agents.size > 0
    if (!isMissing()) return
    const note = (what: "types" | "fields" | "agents", name: string) => {
      missing[what].delete(name)
      if (seen[what].size < seenMax) seen[what].add(name)
    }
    yield* readAll(jobs).pipe(
      Stream.filterMap(Either.getRight),
      Stream.takeWhile(isMissing),
      Stream.runForEach((record) =>
        Effect.sync(() => {
          note("types", record.event.event_type)
          const { agentId, itemId } = EventQuery.whoOf(record)
          for (const id of [agentId, itemId]) if (id !== null) note("agents", id)
          if (missing.fields.size > 0) {
            for (const { field } of EventQuery.leavesOf(record)) {
              for (const name of missing.fields) if (EventQuery.isIn(name, field)) missing.fields.delete(name)
              if (seen.fields.size < seenMax) seen.fields.add(field)
            }
          }
        })
      )
    )
    const job = jobs.length === 1 ? (jobs[0]?.jobId ?? null) : null
    for (const text of missing.types) {
      const suggestions = didYouMean(text, [...knownTypes, ...seen.types])
      return yield* new IdNotFound({ kind: "event type", text, job: null, suggestions })
    }
    for (const text of missing.fields) {
      const suggestions = didYouMean(text, [...allFields, ...seen.fields])
      return yield* new IdNotFound({ kind: "event field", text, job: null, suggestions })
    }
    for (const text of missing.agents) {
      return yield* new IdNotFound({ kind: "agent", text, job, suggestions: didYouMean(text, seen.agents) })
    }
  })

  const prepare = Effect.fnUntraced(function* ({ filter, scope }: Query, fields: ReadonlyArray<string> = []) {
    const jobs = yield* jobsOf(scope)
    yield* check(jobs, { types: filter.types, fields, agent: filter.agent })
    return jobs
  })

  /** Keeps the last `limit` of what `pick` makes of the events that pass. */
  const lastOf = Effect.fnUntraced(function* <A>(
    jobs: ReadonlyArray<EventScope.Job>,
    filter: EventQuery.Filter,
    limit: number,
    pick: (record: EventRecord) => A | null
  ) {
    const isAsked = EventQuery.passes(filter)
    const damage = damages()
    let kept: Array<A> = []
    let total = 0
    yield* Stream.runForEachChunk(readAll(jobs), (chunk) =>
      Effect.sync(() => {
        for (const entry of chunk) {
          if (Either.isLeft(entry)) {
            damage.add(entry.left)
            continue
          }
          const picked = isAsked(entry.right) ? pick(entry.right) : null
          if (picked === null) continue
          total += 1
          kept.push(picked)
          // Twice the limit before cutting keeps the cost per event flat.
          if (kept.length >= 2 * limit) kept = kept.slice(-limit)
        }
      })
    )
    return { jobs, kept: kept.slice(-limit), total, damage: damage.all() }
  })

  const list = Effect.fn("Events.list")(function* (query: Parameters<Events["Type"]["list"]>[0]) {
    const jobs = yield* prepare(query)
    const { kept, ...rest } = yield* lastOf(jobs, query.filter, query.limit, (record) => record)
    return { ...rest, events: kept }
  })

  const search = Effect.fn("Events.search")(function* (query: Parameters<Events["Type"]["search"]>[0]) {
    const matches = yield* EventQuery.matcher(query.expression, query.fields)
    const jobs = yield* prepare(query, query.fields)
    const { kept, ...rest } = yield* lastOf(jobs, query.filter, query.limit, (record): Hit | null => {
      const found = matches(record)
      return found.length === 0 ? null : { record, matches: found }
    })
    return { ...rest, hits: kept }
  })

  const stats = Effect.fn("Events.stats")(function* (query: Parameters<Events["Type"]["stats"]>[0]) {
    const jobs = yield* prepare(query)
    const isAsked = EventQuery.passes(query.filter)
    const damage = damages()
    const groups = new Map<string | null, Group>()
    const all: Group = { count: 0, first: null, last: null }
    yield* Stream.runForEachChunk(readAll(jobs), (chunk) =>
      Effect.sync(() => {
        for (const entry of chunk) {
          if (Either.isLeft(entry)) damage.add(entry.left)
          else if (isAsked(entry.right)) {
            count(all, entry.right.timestamp)
            const key = keyOf(entry.right, query.groupBy)
            const group = groups.get(key)
            if (group !== undefined) count(group, entry.right.timestamp)
            else count(added(groups, groups.size < groupsMax ? key : null), entry.right.timestamp)
          }
        }
      })
    )
    const sorted = [...groups].flatMap(([key, { count, first, last }]) =>
      first === null || last === null ? [] : [{ key, count, first, last }]
    )
    const inTime = query.groupBy === "hour" || query.groupBy === "day"
    sorted.sort((a, b) => (inTime ? compare(a.key, b.key) : b.count - a.count || compare(a.key, b.key)))
    const found = damage.all()
    return {
      damage: found,
      stats: {
        jobs: jobs.map(({ jobId }) => jobId),
        total: all.count,
        first: all.first,
        last: all.last,
        damaged: found.count,
        group_by: query.groupBy,
        groups: inTime ? sorted.slice(-query.limit) : sorted.slice(0, query.limit),
        groups_total: sorted.length
      }
    }
  })

  const passing = (entries: Stream.Stream<Entry, StorageError>, filter: EventQuery.Filter) => {
    const isAsked = EventQuery.passes(filter)
    return Stream.filter(entries, (entry) => Either.isLeft(entry) || isAsked(entry.right))
  }

  /** Whether somebody drives a job, or is about to. What cannot be read drives nothing. */
  const isLive = ({ jobId }: EventScope.Job): Effect.Effect<boolean, StorageError> =>
    Effect.gen(function* () {
      if ((yield* lock.holder(jobId)) !== null) return true
      const session = yield* Effect.option(sessions.get(SessionIds.fromJob(jobId)))
      if (session._tag === "None") return false
      const { shown } = yield* sessions.show(session.value)
      return shown === "Running" || shown === "Initializing"
    })

  return Events.of({
    list,
    search,
    stats,
    stream: Effect.fn("Events.stream")(function* (query) {
      const jobs = yield* prepare(query)
      return { jobs, entries: passing(readAll(jobs), query.filter) }
    }),
    follow: Effect.fn("Events.follow")(function* ({ filter, id, projectPath }) {
      const jobs = yield* jobsOf({ _tag: "Job", projectPath, id })
      const [job] = jobs
      if (job === undefined) return yield* new IdNotFound({ kind: "job", text: id, job: null, suggestions: [] })
      // An agent may be still to come.
      yield* check(jobs, { types: filter.types, fields: [], agent: null })
      return { job, entries: passing(log.follow(job.repo, job.jobId, isLive(job)), filter) }
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Events, never, EventLog | Inspect | ProdigyHome | ResumeLock | SessionStore> =
  Layer.effect(Events, make)

/** The fields of a record that are not the event's own. */
const allFields: ReadonlySet<string> = new Set([
  ...knownFields,
  "id",
  "timestamp",
  "correlation_id",
  "metadata",
  "metadata.host",
  "metadata.pid"
])

/** Names kept for suggestions. */
const seenMax = 10_000

const damages = () => {
  const first: Array<DamagedFile> = []
  let count = 0
  return {
    add: (file: DamagedFile): void => {
      count += 1
      if (first.length < damageShownMax) first.push(file)
    },
    all: (): Damage => ({ count, first })
  }
}

interface Group {
  count: number
  first: string | null
  last: string | null
}

const count = (group: Group, timestamp: string): void => {
  group.count += 1
  if (group.first === null || timestamp < group.first) group.first = timestamp
  if (group.last === null || timestamp > group.last) group.last = timestamp
}

const added = (groups: Map<string | null, Group>, key: string | null): Group => {
  const group = groups.get(key) ?? { count: 0, first: null, last: null }
  groups.set(key, group)
  return group
}

const keyOf = (record: EventRecord, groupBy: GroupBy): string | null => {
  switch (groupBy) {
    case "type":
      return record.event.event_type
    case "agent":
      return EventQuery.whoOf(record).agentId
    case "item":
      return EventQuery.whoOf(record).itemId
    case "job":
      return record.event.job_id
    case "error":
      return "error_type" in record.event && typeof record.event.error_type === "string"
        ? record.event.error_type
        : null
    case "hour":
      return `${record.timestamp.slice(0, 13)}:00Z`
    case "day":
      return record.timestamp.slice(0, 10)
  }
}

const compare = (a: string | null, b: string | null): number =>
  a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -1 : 1
