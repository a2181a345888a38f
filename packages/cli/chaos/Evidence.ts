/**
 * What a round has left: read from the disk, from git and from `/proc`, by code that shares nothing with what wrote it but
 * the state machine.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import * as JobRecord from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import { isTemporary } from "@prodigy/core/storage/AtomicFile"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Item } from "./Scenario.ts"

/** Where a round takes place. */
export interface Place {
  readonly folder: string
  readonly home: string
  readonly repository: string
  /** The side log. */
  readonly side: string
  /** `TMPDIR` of the tortured process. */
  readonly temporary: string
}

/** A process that was killed, and what its journal said was done, in the words of the side log. */
export interface Kill {
  readonly run: number
  readonly done: ReadonlyArray<string>
}

/** One line of the side log: what began, in which process. */
interface Began {
  readonly what: string
  readonly run: number
}

export interface Evidence {
  readonly items: ReadonlyArray<Item>
  readonly reduceSteps: number
  readonly kills: ReadonlyArray<Kill>
  readonly began: ReadonlyArray<Began>
  readonly records: ReadonlyArray<JobRecord.JobRecord>
  /** The fold of the records; a sentence when they do not fit together. */
  readonly state: JobState.JobState | string
  readonly session: Session
  /** `Prodigy-Item` of every merge commit in the target. */
  readonly merges: ReadonlyArray<string>
  /** Item ids of the dead letters. */
  readonly letters: ReadonlyArray<string>
  /** Content of the target's files by path. */
  readonly files: ReadonlyMap<string, string>
  /** Complaints of `git fsck`. */
  readonly fsck: ReadonlyArray<string>
  readonly head: string
  readonly target: string
  /** `git status` of the user's checkout. */
  readonly status: ReadonlyArray<string>
  /** Worktrees that git knows, but for the user's, and directories of ours. */
  readonly worktrees: ReadonlyArray<string>
  /** Branches of ours whose work is all in the target. */
  readonly branches: ReadonlyArray<string>
  readonly processes: ReadonlyArray<string>
  readonly locks: ReadonlyArray<string>
  readonly temporaries: ReadonlyArray<string>
  /** Sessions that never had a job file: their process was killed before it wrote one. */
  readonly unborn: ReadonlyArray<string>
}

interface Session {
  readonly status: string
  readonly worktree: unknown
  readonly progress: { readonly completed: number; readonly failed: number; readonly skipped: number }
}

const git = (place: Place, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", [...args], { cwd: place.repository, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

const namesIn = (directory: string): ReadonlyArray<string> => (existsSync(directory) ? readdirSync(directory) : [])

const filesBelow = (directory: string): ReadonlyArray<string> =>
  existsSync(directory)
    ? readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name))
    : []

const repoName = (place: Place): string => basename(place.repository)

const jobsDirectory = (place: Place): string => join(place.home, "state", repoName(place), "mapreduce/jobs")

/** The job of a round: the one that has a job file. */
export const jobOf = (place: Place): string | undefined =>
  namesIn(jobsDirectory(place)).find((job) => existsSync(join(jobsDirectory(place), job, "job.json")))

/** Where the job's journal is. */
export const journalPath = (place: Place, job: string): string => join(jobsDirectory(place), job, "journal.jsonl")

const decodeEntry = Schema.decodeUnknownSync(Schema.parseJson(JobRecord.JournalEntry))

/** The records of a job, without a torn last line. */
export const recordsOf = (place: Place, job: string): ReadonlyArray<JobRecord.JobRecord> => {
  const path = journalPath(place, job)
  const text = existsSync(path) ? readFileSync(path, "utf8") : ""
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => decodeEntry(line).record)
}

/** What is recorded done, in the words of the side log. */
export const doneIn = (records: ReadonlyArray<JobRecord.JobRecord>): ReadonlyArray<string> =>
  records.flatMap((record) => {
    switch (record.type) {
      case "setup_completed":
        return ["setup:0", "setup:1"]
      case "item_completed":
      case "item_failed":
        return [`item:${record.item_id}`]
      case "reduce_step_completed":
        return [`reduce:${record.step}`]
      default:
        return []
    }
  })

const fold = (records: ReadonlyArray<JobRecord.JobRecord>): JobState.JobState | string => {
  let state = JobState.empty
  for (const record of records) {
    const next = JobState.apply(state, record)
    if (Either.isLeft(next)) return next.left.message
    state = next.right
  }
  return state
}

/** Processes that have the round's storage in their environment, each with its command line. */
export const processesOf = (place: Place): ReadonlyArray<string> =>
  namesIn("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")
        if (!environment.includes(`PRODIGY_HOME=${place.home}`)) return []
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()}`]
      } catch {
        // It has gone meanwhile, or is somebody else's.
        return []
      }
    })

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"))

/** Reads what a round has left of its job. */
export const gather = (
  place: Place,
  job: string,
  round: {
    readonly items: ReadonlyArray<Item>
    readonly reduceSteps: number
    readonly kills: ReadonlyArray<Kill>
  }
): Evidence => {
  const records = recordsOf(place, job)
  const target = git(place, "rev-parse", "refs/heads/main").trim()
  const merges = git(
    place,
    "log",
    "--merges",
    "--format=%(trailers:key=Prodigy-Item,valueonly,separator=)",
    "refs/heads/main"
  )
  const letters = join(place.home, "dlq", repoName(place), job, "items")
  const registered = lines(git(place, "worktree", "list", "--porcelain"))
    .filter((line) => line.startsWith("worktree "))
    .map((line) => line.slice("worktree ".length))
    .filter((path) => path !== place.repository)
  const storage = filesBelow(place.home).filter((path) => !path.startsWith(join(place.home, "logs")))
  const inGit = filesBelow(join(place.repository, ".git"))
  const unborn = namesIn(jobsDirectory(place)).filter((name) => name !== job)
  return {
    ...round,
    began: lines(readFileSync(place.side, "utf8")).map((line) => {
      const [what = "", run = ""] = line.split(" ")
      return { what, run: Number(run) }
    }),
    records,
    state: fold(records),
    session: readJson(join(place.home, `sessions/session-${job}.json`)),
    merges: lines(merges),
    letters: namesIn(letters)
      .filter((name) => name.endsWith(".json"))
      .map((name): string => readJson(join(letters, name)).item_id),
    files: new Map(
      lines(git(place, "ls-tree", "-r", "--name-only", "refs/heads/main")).map((path) => [
        path,
        existsSync(join(place.repository, path)) ? readFileSync(join(place.repository, path), "utf8") : ""
      ])
    ),
    fsck: fsck(place),
    head: git(place, "rev-parse", "HEAD").trim(),
    target,
    status: lines(git(place, "status", "--porcelain")),
    worktrees: [
      ...registered,
      ...namesIn(join(place.repository, ".git/worktrees")).map((name) => `.git/worktrees/${name}`),
      ...namesIn(join(place.home, "worktrees", repoName(place))).filter((name) => name !== ".metadata"),
      ...namesIn(join(place.home, "worktrees", repoName(place), ".metadata"))
        .filter((name) => !isTemporary(name))
        .map((name) => `.metadata/${name}`)
    ],
    branches: lines(git(place, "branch", "--list", "prodigy*", "--merged", "main", "--format=%(refname:short)")),
    processes: processesOf(place),
    locks: [
      ...namesIn(join(place.home, "resume_locks"))
        .filter((name) => !isTemporary(name))
        .map((name) => `resume_locks/${name}`),
      ...storage.filter((path) => /\.(lock|guard)(\.[\w-]+)?$/.test(path) && !path.includes("/resume_locks/")),
      ...inGit.filter((path) => path.endsWith(".lock"))
    ].filter((path) => !unborn.some((name) => path.includes(name))),
    temporaries: namesIn(place.temporary).map((name) => join(place.temporary, name)),
    unborn
  }
}

const fsck = (place: Place): ReadonlyArray<string> => {
  try {
    return lines(git(place, "fsck", "--full", "--no-dangling", "--no-progress"))
  } catch (error) {
    return [String(error)]
  }
}
