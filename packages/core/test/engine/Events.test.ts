import { assert, describe, it } from "@effect/vitest"
import type { Filter } from "@prodigy/core/engine/EventQuery"
import type { Scope } from "@prodigy/core/engine/EventScope"
import { damageShownMax, Events } from "@prodigy/core/engine/Events"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { EventLog } from "@prodigy/core/storage/EventLog"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import {
  countOf,
  elsewhere,
  here,
  layerAt,
  layerDisk,
  layerMemory,
  names,
  nowhere,
  numbered,
  pathOf,
  record,
  write
} from "./EventSamples.ts"

const latest: Scope = { _tag: "Job", projectPath: here, id: "latest" }
const everything: Filter = { types: [], agent: null, sinceMillis: null }
const filter = (changes: Partial<Filter>): Filter => ({ ...everything, ...changes })
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

const list = (changes: Partial<Filter>, limit = 100, scope: Scope = latest) =>
  Effect.flatMap(Events, (events) => events.list({ scope, filter: filter(changes), limit }))

const search = (expression: string, fields: ReadonlyArray<string> = [], limit = 100) =>
  Effect.flatMap(Events, (events) => events.search({ scope: latest, filter: everything, expression, fields, limit }))

for (const [name, layer] of [
  ["memory", layerMemory],
  ["disk", layerDisk]
] as const) {
  describe(`Events (${name})`, () => {
    it.scoped("gives the last events that pass the filter, and counts all", () =>
      Effect.gen(function* () {
        const job = yield* record(here, 1)
        const open = yield* (yield* EventLog).open({ ...job, correlationId: job.sessionId })
        for (let total = 1; total <= 7; total++) {
          yield* TestClock.adjust("1 second")
          yield* open.emit([{ event_type: "map_phase_started", total_items: total }])
        }
        yield* open.emit([{ event_type: "agent_started", agent_id: "agent_7", item_id: "src/a", attempt: 1 }])
        yield* open.flush
        const maps = yield* list({ types: ["map_phase_started"] }, 2)
        assert.strictEqual(maps.total, 7)
        const shown = maps.events.map(({ event }) => ("total_items" in event ? event.total_items : null))
        assert.deepStrictEqual(shown, [6, 7])
        assert.strictEqual((yield* list({ sinceMillis: 6_000 })).total, 3)
        for (const agent of ["src/a", "agent_7"]) assert.strictEqual((yield* list({ agent })).total, 1)
        assert.strictEqual((yield* list({ types: ["agent_started", "map_phase_started"] })).total, 8)
        // What can happen and did not is no mistake.
        assert.strictEqual((yield* list({ types: ["job_failed"] })).total, 0)
      }).pipe(Effect.provide(layer))
    )

    it.effect("takes a type, a field or an agent that no event has for a typing error, in every command", () =>
      Effect.gen(function* () {
        const job = yield* record(here, 1)
        yield* write(job, [{ event_type: "agent_started", agent_id: "agent_7", item_id: "src/a", attempt: 1 }])
        const events = yield* Events
        const types = { scope: latest, filter: filter({ types: ["agent_startd"] }), limit: 1 }
        for (const ask of [
          Effect.asVoid(events.list(types)),
          Effect.asVoid(events.stats({ ...types, groupBy: "type" })),
          Effect.asVoid(events.stream(types)),
          Effect.asVoid(events.search({ ...types, expression: "x", fields: [] })),
          Effect.asVoid(events.follow({ projectPath: here, id: "latest", filter: types.filter }))
        ]) {
          const error = yield* Effect.flip(ask)
          assert.deepStrictEqual(error._tag === "IdNotFound" ? error.suggestions : error, ["agent_started"])
        }
        const agent = yield* Effect.flip(list({ agent: "agent_8" }))
        assert.deepStrictEqual(agent._tag === "IdNotFound" ? agent.suggestions : agent, ["agent_7"])
        const field = yield* Effect.flip(search("x", ["eror"]))
        assert.deepStrictEqual(field._tag === "IdNotFound" ? field.suggestions : field, ["error"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("looks at one job, all of a repository, or all, and finds jobs that only their events are left of", () =>
      Effect.gen(function* () {
        const jobs = [yield* record(here, 1), yield* record(here, 2), yield* record(elsewhere, 3)]
        for (const [index, job] of jobs.entries()) yield* write(job, [numbered(index)])
        const seen = (scope: Scope) => Effect.map(list({}, 100, scope), ({ events }) => events.map(countOf))
        assert.deepStrictEqual(yield* seen(latest), [1])
        assert.deepStrictEqual(yield* seen({ _tag: "Repository", projectPath: here }), [0, 1])
        assert.deepStrictEqual((yield* seen({ _tag: "Everything" })).toSorted(), [0, 1, 2])
        for (const job of jobs) {
          yield* (yield* AtomicFile).remove(
            (yield* pathOf(job, "")).replace(/\/events\/.*/, `/sessions/${job.sessionId}.json`)
          )
        }
        assert.deepStrictEqual(yield* seen(latest), [1])
        assert.deepStrictEqual(yield* seen({ _tag: "Job", projectPath: nowhere, id: jobs[2]?.jobId ?? "" }), [2])
        const none = yield* Effect.flip(list({}, 1, { _tag: "Job", projectPath: here, id: "mapreduce-1999" }))
        assert.strictEqual(none._tag, "IdNotFound")
        const outside = yield* Effect.flip(list({}, 1, { _tag: "Repository", projectPath: nowhere }))
        assert.strictEqual(outside._tag, "WorkspaceError")
      }).pipe(Effect.provide(layer))
    )

    it.effect("names damaged lines and counts them, and goes on", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const job = yield* record(here, 1)
        yield* write(job, [numbered(0)])
        const [only = ""] = yield* names(job)
        const path = yield* pathOf(job, only)
        const line = (yield* file.read(path)) ?? ""
        yield* file.replace(path, `${line}${"{\n".repeat(12)}${line}`)
        const { damage, events } = yield* list({})
        assert.strictEqual(events.length, 2)
        assert.strictEqual(damage.count, 12)
        assert.strictEqual(damage.first.length, damageShownMax)
        assert.deepInclude(damage.first[0], { path, line: 2 })
        const { stats } = yield* (yield* Events).stats({ scope: latest, filter: everything, groupBy: "type", limit: 1 })
        assert.deepInclude(stats, { total: 2, damaged: 12 })
      }).pipe(Effect.provide(layer))
    )

    it.effect("counts by type, item, error and time, the largest first, times in order", () =>
      Effect.gen(function* () {
        const job = yield* record(here, 1)
        const failed = (item_id: string, error_type: string) =>
          ({
            event_type: "agent_failed",
            agent_id: `agent_${item_id}`,
            item_id,
            attempt: 1,
            duration_ms: 1,
            error: "no",
            error_type,
            failure_reason: "retry"
          }) as const
        yield* write(job, [failed("b", "Timeout"), failed("a", "Timeout")])
        yield* TestClock.adjust("2 hours")
        yield* write(job, [failed("b", "MergeConflict"), numbered(1)])
        const events = yield* Events
        const groups = (groupBy: Parameters<typeof events.stats>[0]["groupBy"], limit = 10) =>
          Effect.map(events.stats({ scope: latest, filter: everything, groupBy, limit }), ({ stats }) =>
            stats.groups.map(({ count, key }) => [key, count])
          )
        assert.deepStrictEqual(yield* groups("type"), [
          ["agent_failed", 3],
          ["dlq_items_reprocessed", 1]
        ])
        assert.deepStrictEqual(yield* groups("item", 2), [
          ["b", 2],
          ["a", 1]
        ])
        assert.deepStrictEqual((yield* groups("error")).at(-1), [null, 1])
        assert.deepStrictEqual(yield* groups("hour"), [
          ["1970-01-01T00:00Z", 2],
          ["1970-01-01T02:00Z", 2]
        ])
        assert.deepStrictEqual(yield* groups("day"), [["1970-01-01", 4]])
      }).pipe(Effect.provide(layer))
    )

    it.effect("searches the values of events, only the fields that are named, and says where it fits", () =>
      Effect.gen(function* () {
        const job = yield* record(here, 1)
        yield* write(job, [
          { event_type: "job_paused", reason: 'disk "full"\nat 3' },
          { event_type: "worktree_created", path: "/full/x", branch: "b" },
          {
            event_type: "agent_completed",
            agent_id: "a",
            item_id: "i",
            attempt: 1,
            duration_ms: 7,
            commits: ["0", "abc"]
          }
        ])
        const { hits, total } = yield* search("full", [], 1)
        assert.strictEqual(total, 2)
        assert.deepStrictEqual(hits[0]?.matches, [{ field: "path", text: "/full/x", start: 1, end: 5 }])
        assert.strictEqual((yield* search('"full"\\nat', ["reason"])).total, 1)
        assert.strictEqual((yield* search("(?i)ABC", ["commits"])).total, 1)
        assert.strictEqual((yield* search("^7$", ["duration_ms"])).total, 1)
        assert.strictEqual((yield* search("memory", ["metadata.host"])).total, 3)
        assert.strictEqual((yield* search("memory", ["metadata"])).total, 3)
        // What every event has is looked at on request only.
        assert.strictEqual((yield* search(job.sessionId)).total, 0)
      }).pipe(Effect.provide(layer))
    )
  })
}

describe("Events", () => {
  it.effect("says where an expression goes wrong", () =>
    Effect.gen(function* () {
      yield* record(here, 1)
      const wrong: ReadonlyArray<readonly [string, number]> = [
        ["a(b", 2],
        ["(a)(b", 4],
        ["((a)", 1],
        ["x[ab", 2],
        ["a*|*b", 4],
        ["ab(?=x)", 3],
        ["aa\\1", 3],
        ["ab{2000}", 3],
        ["[z-a]", 2],
        ["a)", 2]
      ]
      for (const [expression, position] of wrong) {
        const error = yield* Effect.flip(search(expression))
        assert.strictEqual(error._tag === "SearchInvalid" ? error.position : error.message, position, expression)
      }
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("answers to an expression that would keep others busy for ever", () =>
    Effect.gen(function* () {
      const job = yield* record(here, 1)
      yield* write(job, [{ event_type: "job_paused", reason: `${"a".repeat(100_000)}b` }])
      assert.strictEqual((yield* search("^(a+)+$", ["reason"])).total, 0)
    }).pipe(Effect.provide(layerMemory))
  )

  it.scopedLive("follows a job of another process: from before its first event, across new files, to its end", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      yield* Effect.gen(function* () {
        const writer = yield* startWriter(root, 200, 6_000)
        yield* writer.said("ready")
        const seen: Array<unknown> = []
        const following = yield* Effect.fork(follow(seen))
        writer.tell()
        yield* Fiber.join(following)
        assert.deepStrictEqual(seen, upTo(200))
        assert.isAbove((yield* names(yield* theJob)).length, 4)
      }).pipe(Effect.provide(layerAt(root)))
    })
  )

  it.scopedLive("ends with a job the owner of which was killed, having given all that it wrote, each once", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      yield* Effect.gen(function* () {
        const writer = yield* startWriter(root, 60, 6_000, "stay")
        yield* writer.said("ready")
        const seen: Array<unknown> = []
        const following = yield* Effect.fork(follow(seen))
        writer.tell()
        yield* writer.said("done")
        writer.child.kill("SIGKILL")
        yield* Fiber.join(following)
        assert.deepStrictEqual(seen, upTo(60))
      }).pipe(Effect.provide(layerAt(root)))
    })
  )

  it.scoped("goes on following as long as somebody holds the job, whatever its session says", () =>
    Effect.gen(function* () {
      const job = yield* record(here, 1, { status: "Paused" })
      yield* write(job, [numbered(0)])
      const seen: Array<unknown> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* (yield* ResumeLock).acquire({ ...job, force: false })
          const following = yield* Effect.fork(follow(seen))
          yield* TestClock.adjust("1 minute")
          assert.isNull(yield* Fiber.poll(following).pipe(Effect.map((exit) => (exit._tag === "None" ? null : exit))))
          yield* write(job, [numbered(1)])
          yield* Fiber.interrupt(following)
        })
      )
      seen.length = 0
      yield* follow(seen)
      assert.deepStrictEqual(seen, [0, 1])
    }).pipe(Effect.provide(layerMemory))
  )
})

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "prodigy-events-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const theJob = Effect.map(
  Effect.flatMap(SessionStore, ({ list }) => list),
  ({ sessions: [listed] }) => {
    const session = listed?.session
    if (session === undefined || session.job_id === null) throw new Error("there is no job")
    return { repo: session.repository.name as Parameters<typeof names>[0]["repo"], jobId: session.job_id }
  }
)

/** Follows the only job into `seen`. */
const follow = (seen: Array<unknown>) =>
  Effect.gen(function* () {
    const { jobId: id } = yield* theJob
    const { entries } = yield* (yield* Events).follow({ projectPath: nowhere, id, filter: everything })
    yield* Stream.runForEach(entries, (entry) =>
      Effect.sync(() => void seen.push(countOf(Either.getOrThrowWith(entry, (error) => error))))
    )
  })

const script = fileURLToPath(new URL("./programs/writeEvents.ts", import.meta.url))

/** A process that writes events when it is told to; killed at the end, should it still be there. */
const startWriter = (root: string, events: number, bytes: number, then = "") =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const args = [
        "--conditions=@prodigy/source",
        "--import",
        "tsx",
        script,
        root,
        String(events),
        String(bytes),
        then
      ]
      const child: ChildProcess = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] })
      if (child.stdout === null || child.stdin === null) throw new Error("no pipes")
      const { stdin } = child
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      return {
        child,
        tell: () => void stdin.write("go\n"),
        said: (word: string) => Effect.promise(async () => assert.strictEqual(String((await lines.next()).value), word))
      }
    }),
    ({ child }) => Effect.sync(() => void child.kill("SIGKILL"))
  )
