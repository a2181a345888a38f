/**
 * Every other file of the storage, damaged: sessions, mappings, dead letters and their index, the claim of the repository's
 * name, events, the workflow and the checkpoints of a standard workflow, records of processes, lists of orphans, records of
 * worktrees. What is read is as before, or the file is named; never something else, and never a defect. The files of a
 * job's directory are in `Damage.test.ts`, damaged locks in `ResumeLockSuite`.
 */
import { assert, describe, it } from "@effect/vitest"
import type { JobId } from "@prodigy/core/domain/JobId"
import type { SessionId } from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { Inspect } from "@prodigy/core/engine/Inspect"
import { Resume } from "@prodigy/core/engine/Resume"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { EventLog } from "@prodigy/core/storage/EventLog"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { ProcessRecord } from "@prodigy/core/storage/ProcessRecord"
import { SessionJobIndex } from "@prodigy/core/storage/SessionJobIndex"
import { WorkflowStore } from "@prodigy/core/storage/WorkflowStore"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import { inRepository, repo, type Services } from "./Bench.ts"

const seed = 20_261_124
/** Random cuts, and random flipped bits, of each file. */
const rounds = 3

describe("a damaged file of the storage", () => {
  it.live(`reads as before or is named, whatever the file and whatever the damage (seed ${seed})`, () =>
    inRepository(({ home, project, run, runAny }) =>
      Effect.gen(function* () {
        const { job_id: jobId, session_id: sessionId } = yield* run(jobWorkflow)
        const { session_id: standardId } = yield* runAny(standardWorkflow)
        yield* leaveBehind(home, jobId, sessionId)
        const files = storedFiles(home).filter((file) => !file.includes("/.metadata/"))
        for (const kind of everyKind)
          assert.isTrue(
            files.some((file) => kind.test(file)),
            String(kind)
          )
        const ids = { jobId, sessionId, standardId, projectPath: project }
        const looks = [...storesAt(ids), ...commandsAt(ids)]
        const before = new Map<string, string>()
        for (const [name, look] of looks) {
          const found = yield* Effect.exit(look)
          if (Exit.isFailure(found)) return assert.fail(`${name}: ${Cause.pretty(found.cause)}`)
          before.set(name, shown(found.value))
        }
        for (const file of files) {
          const path = join(home, file)
          const whole = readFileSync(path)
          for (const [index, [what, bytes]] of (yield* damages(whole)).entries()) {
            // A command asks git where it is, which takes its time: two ways of damage have to do.
            for (const [name, look] of index < 2 ? looks : storesAt(ids)) {
              damage(path, bytes)
              const label = `${file}: ${what}, seen by ${name}`
              const found = yield* Effect.exit(look)
              if (Exit.isFailure(found)) named(label, found.cause, bytes === null ? "" : path)
              else if (bytes !== null && !isTolerated(file, what)) {
                const text = shown(found.value)
                assert.isTrue(text === before.get(name) || text.includes(path), `${label}:\n${text}`)
              }
            }
          }
          writeFileSync(path, whole)
        }
      }).pipe(Effect.withRandom(Random.make(seed)), Effect.provide(Logger.minimumLogLevel(LogLevel.None)))
    )
  )

  it.live(`does not hinder a resume, or is named by it (seed ${seed})`, () =>
    inRepository(({ git, home, project, run }) =>
      Effect.gen(function* () {
        const { job_id: jobId, session_id: sessionId } = yield* run(jobWorkflow)
        yield* leaveBehind(home, jobId, sessionId)
        const folder = join(project, "..")
        for (const name of ["home", "project"]) cpSync(join(folder, name), join(folder, `${name}.kept`), copy)
        writeFileSync(join(folder, "fixed"), "")
        for (const kind of resumedOver) {
          const file = storedFiles(home).find((name) => kind.test(name))
          if (file === undefined) return assert.fail(`no file like ${kind}`)
          const ways = yield* damages(readFileSync(join(home, file)))
          const [what, bytes] = ways[yield* Random.nextIntBetween(0, ways.length)]!
          damage(join(home, file), bytes)
          const label = `${file}: ${what}`
          const ended = yield* Effect.exit(resumed(project, jobId))
          if (Exit.isFailure(ended)) named(label, ended.cause, bytes === null ? "" : join(home, file))
          else {
            assert.strictEqual(ended.value.status, "completed", label)
            assert.strictEqual(git("show", "main:reduced.txt"), "a\nc", label)
          }
          for (const name of ["home", "project"]) {
            rmSync(join(folder, name), { recursive: true })
            cpSync(join(folder, `${name}.kept`), join(folder, name), copy)
          }
        }
      }).pipe(Effect.withRandom(Random.make(seed)), Effect.provide(Logger.minimumLogLevel(LogLevel.None)))
    )
  )
})

/** One item fails for good, and the reduce phase fails until a file is there. */
const jobWorkflow = `
name: damaged
map:
  input: { items: [a, b, c] }
  max_parallel: 2
  agent_template:
    - shell: '[ "\${item}" != b ] && echo "\${item}" > "made-\${item}"'
reduce:
  - shell: test -e "$PROJECT_ROOT/../fixed" && cat made-* > reduced.txt
`

const standardWorkflow = `
name: standard
commands:
  - shell: echo one > one.txt
  - shell: exit 1
`

/** What a run that was killed leaves beside the rest: the record of its processes, and worktrees that stay. */
const leaveBehind = Effect.fnUntraced(function* (home: string, jobId: JobId, sessionId: SessionId) {
  const records = yield* ProcessRecord
  const store = yield* JobStore
  const orphan = {
    path: "/gone",
    agent_id: null,
    item_id: null,
    error: "no luck",
    timestamp: "2026-01-01T00:00:00.000Z"
  }
  yield* store.saveOrphans(repo, jobId, [orphan])
  const path = join(home, `state/${repo}/processes/${sessionId}.jsonl`)
  const text = yield* Effect.scoped(
    Effect.gen(function* () {
      const mark = yield* records.open(repo, sessionId)
      yield* mark.started({ pid: 999_999_999, startedAt: "1" })
      return readFileSync(path)
    })
  )
  writeFileSync(path, text)
})

const resumed = (projectPath: string, id: JobId) =>
  Effect.gen(function* () {
    const resume = yield* Resume
    return yield* resume.goOn(yield* resume.find({ projectPath, id }), {
      force: false,
      approve: "yes",
      fromCheckpoint: null,
      waitsForQuota: true,
      retryFailed: false,
      maxRetries: null,
      useCurrent: false
    })
  })

const copy = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true }

/** All that is stored, apart from work (worktrees), what steps said (logs), and the files of a job's directory. */
const storedFiles = (home: string): ReadonlyArray<string> =>
  readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
    .filter((file) => !/^logs\/|^worktrees\/[^/]+\/(?!\.metadata\/[^.].*\.json$)|mapreduce\/jobs\//.test(file))
    .sort()

const everyKind = [
  /^sessions\/session-mapreduce/,
  /^sessions\/session-workflow/,
  /mappings\/mapreduce/,
  /mappings\/session/,
  /^dlq\/.*\/items\//,
  /^dlq\/.*\/index\.jsonl$/,
  /repository\.json$/,
  /^events\//,
  /\.workflow\.json$/,
  /\.checkpoint\.json$/,
  /\.checkpoint\.copy\.json$/,
  /processes\//,
  /orphaned_worktrees\//
]

const resumedOver = [
  /^sessions\/session-mapreduce/,
  /mappings\/mapreduce/,
  /^dlq\/.*\/index\.jsonl$/,
  /repository\.json$/,
  /processes\//,
  /worktrees\/.*\.metadata\/session-/
]

type Look = readonly [name: string, look: Effect.Effect<unknown, unknown, Services>]

interface Ids {
  readonly jobId: JobId
  readonly sessionId: SessionId
  readonly standardId: SessionId
  readonly projectPath: string
}

/** What the stores give of these files. */
const storesAt = ({ jobId, sessionId, standardId }: Ids): ReadonlyArray<Look> => [
  ["the mapping", Effect.flatMap(SessionJobIndex, (index) => index.find(repo, jobId))],
  ["the session's mapping", Effect.flatMap(SessionJobIndex, (index) => index.find(repo, sessionId))],
  [
    "the letters",
    Effect.map(
      Effect.flatMap(DeadLetterQueue, (queue) => queue.summaries(repo, jobId)),
      // How many had to be read is no part of the answer.
      ({ damaged, letters }) => ({ damaged, letters })
    )
  ],
  ["a letter", Effect.flatMap(DeadLetterQueue, (queue) => queue.get(repo, jobId, ItemId.make("item_1")))],
  ["the events", Effect.flatMap(EventLog, (log) => Stream.runCollect(log.read(repo, jobId)))],
  ["the workflow", Effect.flatMap(WorkflowStore, (store) => store.load(repo, standardId))],
  ["its checkpoint", Effect.flatMap(WorkflowStore, (store) => store.loadCheckpoint(repo, standardId))],
  ["processes", Effect.flatMap(ProcessRecord, (records) => records.find(repo, sessionId))],
  ["orphans", Effect.flatMap(JobStore, (store) => store.loadOrphans(repo, jobId))]
]

/** What commands ask before they do anything. */
const commandsAt = ({ jobId, projectPath, sessionId, standardId }: Ids): ReadonlyArray<Look> => [
  [
    "sessions list",
    Effect.flatMap(Inspect, (look) => look.sessions({ projectPath, allRepos: false, status: null, limit: 100 }))
  ],
  ["sessions show", Effect.flatMap(Inspect, (look) => look.session({ projectPath, id: sessionId }))],
  ["the standard session", Effect.flatMap(Inspect, (look) => look.session({ projectPath, id: standardId }))],
  ["the job's id", Effect.flatMap(Inspect, (look) => look.job({ projectPath, id: jobId }))],
  ["resume", Effect.flatMap(Resume, (resume) => resume.list({ projectPath }))]
]

const shown = (value: unknown): string => inspect(value, { depth: 12, maxArrayLength: null, maxStringLength: null })

const damage = (path: string, bytes: Buffer | null) =>
  bytes === null ? rmSync(path, { force: true }) : writeFileSync(path, bytes)

/** A typed error, which names the file; of one that is not there, any typed error will do. */
const named = (label: string, cause: Cause.Cause<unknown>, path: string) => {
  const [error] = [...Cause.failures(cause)]
  if (error === undefined) return assert.fail(`${label}: ${Cause.pretty(cause)}`)
  assert.include((error as { readonly message: string }).message, path, label)
}

/**
 * What nobody can see: that lines are missing at the end of what was written without a sync. Events are not sealed either:
 * no decision is taken from them.
 */
const isTolerated = (file: string, what: string): boolean =>
  file.startsWith("events/") || (file.includes("processes/") && what.startsWith("cut off"))

/** Ways to damage a content, the commands' two first; null: the file is gone. */
const damages = Effect.fnUntraced(function* (whole: Buffer) {
  const ways: Array<readonly [what: string, bytes: Buffer | null]> = []
  for (let round = 0; round < rounds; round += 1) {
    const at = yield* Random.nextIntBetween(0, whole.length)
    const bit = yield* Random.nextIntBetween(0, 8)
    const flipped = Buffer.from(whole)
    flipped[at] = (whole[at] ?? 0) ^ (1 << bit)
    ways.push([`bit ${bit} of byte ${at}`, flipped], [`cut off at byte ${at}`, whole.subarray(0, at)])
  }
  ways.push(["empty", Buffer.alloc(0)], ["garbage", Buffer.alloc(whole.length, 0xff)], ["gone", null])
  return ways
})
