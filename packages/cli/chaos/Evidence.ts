/**
 * What a round has left: read from the disk, from git and from `/proc`, by code that shares nothing with what wrote it but
 * the state machine.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import * as JobRecord from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import type * as WorkflowState from "@prodigy/core/domain/WorkflowState"
import { isTemporary } from "@prodigy/core/storage/TemporaryName"
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

/** What is looked at after every round. */
export interface Ground {
  readonly kills: ReadonlyArray<Kill>
  readonly began: ReadonlyArray<Began>
  readonly session: Session
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
  /** Worktrees that the job says it could not remove, and why. */
  readonly orphans: ReadonlyArray<string>
  /** Branches of ours whose work is all in the target. */
  readonly branches: ReadonlyArray<string>
  readonly processes: ReadonlyArray<string>
  readonly locks: ReadonlyArray<string>
  readonly temporaries: ReadonlyArray<string>
  /** Sessions of which nothing can be resumed: their process was killed before it had written what they run. */
  readonly unborn: ReadonlyArray<string>
}

/** What a round with a job has left. */
export interface Evidence extends Ground {
  readonly items: ReadonlyArray<Item>
  readonly reduceSteps: number
  readonly records: ReadonlyArray<JobRecord.JobRecord>
  /** The fold of the records; a sentence when they do not fit together. */
  readonly state: JobState.JobState | string
  /** `Prodigy-Item` of every merge commit in the target. */
  readonly merges: ReadonlyArray<string>
  /** Item ids of the dead letters. */
  readonly letters: ReadonlyArray<string>
}

/** What a round with a standard workflow has left. */
export interface WorkflowEvidence extends Ground {
  readonly steps: number
  /** The last checkpoint's state; null when there is none. */
  readonly state: WorkflowState.WorkflowState | null
}

interface Session {
  readonly status: string
  readonly worktree: unknown
  /** Of a job's session only. */
  readonly progress: { readonly completed?: number; readonly failed?: number; readonly skipped?: number }
}

const git = (place: Place, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", [...args], { cwd: place.repository, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

const namesIn = (directory: string): ReadonlyArray<string> => (existsSync(directory) ? readdirSync(directory) : [])

const filesBelow = (directory: string): ReadonlyArray<string> =>
  existsSync(directory)
    ? readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name))
    : []

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"))

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

const checkpointsDirectory = (place: Place): string => join(place.home, "state", repoName(place), "checkpoints")

/** The session of a round with a standard workflow: the one of which it is stored what it runs. */
export const sessionOf = (place: Place): string | undefined =>
  namesIn(checkpointsDirectory(place))
    .find((name) => name.endsWith(".workflow.json") && !isTemporary(name))
    ?.slice(0, -".workflow.json".length)

/** The newer of the two copies of the session's checkpoint; null when there is none. */
export const workflowStateOf = (place: Place, session: string): WorkflowState.WorkflowState | null => {
  const found: ReadonlyArray<{ readonly seq: number; readonly state: WorkflowState.WorkflowState }> = [
    "checkpoint",
    "checkpoint.copy"
  ]
    .map((name) => join(checkpointsDirectory(place), `${session}.${name}.json`))
    .filter((path) => existsSync(path))
    .map((path) => readJson(path))
  return found.toSorted((a, b) => b.seq - a.seq)[0]?.state ?? null
}

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

/** Reads what a round with a job has left. */
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
  const merges = git(
    place,
    "log",
    "--merges",
    "--format=%(trailers:key=Prodigy-Item,valueonly,separator=)",
    "refs/heads/main"
  )
  const letters = join(place.home, "dlq", repoName(place), job, "items")
  const unborn = namesIn(jobsDirectory(place)).filter((name) => name !== job)
  return {
    ...ground(place, `session-${job}`, unborn, round.kills),
    items: round.items,
    reduceSteps: round.reduceSteps,
    records,
    state: fold(records),
    merges: lines(merges),
    letters: namesIn(letters)
      .filter((name) => name.endsWith(".json"))
      .map((name): string => readJson(join(letters, name)).item_id)
  }
}

/** Reads what a round with a standard workflow has left. */
export const gatherWorkflow = (
  place: Place,
  session: string,
  round: { readonly steps: number; readonly kills: ReadonlyArray<Kill> }
): WorkflowEvidence => {
  const unborn = namesIn(join(place.home, "sessions"))
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .map((name) => name.slice(0, -".json".length))
    .filter((name) => name !== session)
  return {
    ...ground(place, session, unborn, round.kills),
    steps: round.steps,
    state: workflowStateOf(place, session)
  }
}

const ground = (place: Place, session: string, unborn: ReadonlyArray<string>, kills: ReadonlyArray<Kill>): Ground => {
  const target = git(place, "rev-parse", "refs/heads/main").trim()
  const worktrees = join(place.home, "worktrees", repoName(place))
  const registered = lines(git(place, "worktree", "list", "--porcelain"))
    .filter((line) => line.startsWith("worktree "))
    .map((line) => line.slice("worktree ".length))
    .filter((path) => path !== place.repository)
  const storage = filesBelow(place.home).filter((path) => !path.startsWith(join(place.home, "logs")))
  const inGit = filesBelow(join(place.repository, ".git"))
  return {
    kills,
    unborn,
    began: lines(readFileSync(place.side, "utf8")).map((line) => {
      const [what = "", run = ""] = line.split(" ")
      return { what, run: Number(run) }
    }),
    session: readJson(join(place.home, `sessions/${session}.json`)),
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
      ...namesIn(worktrees).filter((name) => name !== ".metadata"),
      ...namesIn(join(worktrees, ".metadata"))
        .filter((name) => !isTemporary(name))
        .map((name) => `.metadata/${name}${name.endsWith(".json") ? `: ${recordOf(place, name)}` : ""}`)
    ],
    orphans: orphansOf(place),
    branches: lines(git(place, "branch", "--list", "prodigy*", "--merged", "main", "--format=%(refname:short)")),
    processes: processesOf(place),
    locks: [
      ...namesIn(join(place.home, "resume_locks"))
        .filter((name) => !isTemporary(name))
        .map((name) => `resume_locks/${name}`),
      ...storage.filter((path) => /\.(lock|guard)(\.[\w-]+)?$/.test(path) && !path.includes("/resume_locks/")),
      ...inGit.filter((path) => path.endsWith(".lock"))
    ].filter((path) => !unborn.some((name) => path.includes(name))),
    temporaries: [...storage.filter((path) => isTemporary(basename(path))), ...filesBelow(place.temporary)].filter(
      (path) => !unborn.some((name) => path.includes(name))
    )
  }
}

/** A worktree's record on one line. */
const recordOf = (place: Place, name: string): string =>
  readFileSync(join(place.home, "worktrees", repoName(place), ".metadata", name), "utf8").replace(/\s+/g, " ")

/** What any job says of worktrees that it could not remove. */
const orphansOf = (place: Place): ReadonlyArray<string> => {
  const directory = join(place.home, "state", repoName(place), "orphaned_worktrees")
  return namesIn(directory)
    .filter((name) => !isTemporary(name))
    .flatMap((name) => {
      const { worktrees }: { readonly worktrees: ReadonlyArray<{ readonly path: string; readonly error: string }> } =
        readJson(join(directory, name))
      return worktrees.map(({ error, path }) => `${path}: ${error}`)
    })
}

const fsck = (place: Place): ReadonlyArray<string> => {
  try {
    return lines(git(place, "fsck", "--full", "--no-dangling", "--no-progress"))
  } catch (error) {
    return [String(error)]
  }
}
