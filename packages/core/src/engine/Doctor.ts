/**
 * The check of health: everything that may keep Prodigy from working, or that a crash or somebody else left behind.
 *
 * Owns what is looked at, and what to do about each finding. It repairs nothing and writes nothing, save the probe by
 * which `GlobalStorage` proves that the root can be written.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent } from "../agent/Agent.ts"
import type { JobId } from "../domain/JobId.ts"
import type { JobState } from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import { AtomicFile, StorageError } from "../storage/AtomicFile.ts"
import { Finding, finding, GlobalStorage } from "../storage/GlobalStorage.ts"
import * as Integrity from "../storage/Integrity.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { SessionJobIndex } from "../storage/SessionJobIndex.ts"
import * as TemporaryName from "../storage/TemporaryName.ts"
import { WorkflowStore } from "../storage/WorkflowStore.ts"
import { Workspace } from "../workspace/Workspace.ts"
import { Worktrees } from "../workspace/Worktrees.ts"
import * as JobEvidence from "./JobEvidence.ts"
import * as JobInvariants from "./JobInvariants.ts"
import { SessionWorktrees } from "./SessionWorktrees.ts"

/**
 * What was found, and whether nothing of it is an error.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Diagnosis = Schema.Struct({
  healthy: Schema.Boolean.annotations({ description: "no finding is an error" }),
  findings: Schema.Array(Finding)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Diagnosis extends Schema.Schema.Type<typeof Diagnosis> {}

/**
 * Something is broken; the findings were said.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unhealthy extends Schema.TaggedError<Unhealthy>("@prodigy/core/engine/Doctor/Unhealthy")("Unhealthy", {
  errors: Schema.Int
}) {
  override get message() {
    return this.errors === 1 ? "Something is broken." : `${this.errors} things are broken.`
  }
}

/**
 * @since 0.1.0
 * @category services
 */
export class Doctor extends Context.Tag("@prodigy/core/engine/Doctor")<
  Doctor,
  {
    /**
     * Looks at the storage, at git and the agent, and at every repository with data in the storage. What cannot be looked
     * at is a finding as well. That there is no repository around `projectPath` is a note.
     */
    readonly examine: (options: { readonly projectPath: string }) => Effect.Effect<Diagnosis>
  }
>() {}

/** Paths that a finding names one by one. */
const namedMax = 5

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const agent = yield* Agent
  const file = yield* AtomicFile
  const fs = yield* FileSystem.FileSystem
  const home = yield* ProdigyHome
  const index = yield* SessionJobIndex
  const keeper = yield* SessionWorktrees
  const storage = yield* GlobalStorage
  const workspaces = yield* Workspace
  const worktrees = yield* Worktrees
  const store = yield* JobStore
  const sources = yield* Effect.context<JobEvidence.Sources | WorkflowStore>()

  const git = Effect.match(worktrees.version, {
    onSuccess: (version) => finding("git", "ok", `git ${version}`),
    onFailure: ({ detail }) =>
      finding("git", "error", sentence(detail), "Install git 2.38 or newer and put it on the PATH.")
  })

  const claude = Effect.match(agent.check, {
    onSuccess: ({ version }) => finding("agent", "ok", `claude ${version}`),
    onFailure: ({ message }) =>
      finding(
        "agent",
        "warning",
        message,
        "Only workflows with claude steps need it: install it, or name the program with PRODIGY_CLAUDE_COMMAND."
      )
  })

  const project = (projectPath: string) =>
    Effect.match(workspaces.find(projectPath), {
      onSuccess: ({ root }) => finding("repository", "ok", root),
      onFailure: ({ detail, path, reason }) =>
        finding(
          "repository",
          "warning",
          `${path}: ${sentence(detail)}`,
          reason === "no_commits"
            ? "Runs need a first commit."
            : "Runs need a git repository: go to one, or --path DIR."
        )
    })

  const damage = Effect.fnUntraced(function* (repo: RepoName) {
    const proved = yield* Stream.runFold(
      Integrity.repository(repo),
      { files: 0, damaged: [] as ReadonlyArray<Integrity.Proved> },
      ({ damaged, files }, one) => ({ files: files + 1, damaged: one.damage === null ? damaged : [...damaged, one] })
    )
    return [
      ...(proved.damaged.length > 0
        ? []
        : [finding("files", "ok", `${proved.files} files of ${repo} are as they were written.`)]),
      ...proved.damaged.map(({ damage, path }) => finding("files", "error", damage?.message ?? path, adviceFor(path)))
    ]
  }, Effect.provide(sources))

  const mappings = Effect.fnUntraced(function* (repo: RepoName) {
    const paths = home.repo(repo)
    // Damage is told by the check of files.
    const all = yield* Effect.catchTag(index.list(repo), "DamagedFile", () => Effect.succeed([]))
    const lost = yield* Effect.filter(all, ({ job_id, session_id }) =>
      Effect.map(
        Effect.all([file.modifiedAt(home.session(session_id)), file.modifiedAt(paths.job(job_id).jobFile)]),
        ([session, job]) => session === null && job === null
      )
    )
    return lost.map(({ job_id }) =>
      finding(
        "mappings",
        "warning",
        `${paths.mapping(job_id)} points to a job and a session that are not stored.`,
        "Nothing needs it; prodigy clean state removes it."
      )
    )
  })

  /** Whether what is recorded of each job agrees. Events are left out: there may be very many, and nothing hangs on them. */
  const agreement = Effect.fnUntraced(function* (repo: RepoName, known: ReadonlyArray<Finding>) {
    const jobs = yield* store.list(repo)
    const found: Array<Finding> = []
    // All jobs are of one repository: to find it takes longer than the rest of a job.
    const once = { ...workspaces, find: yield* Effect.cachedFunction(workspaces.find) }
    for (const jobId of jobs) {
      const evidence = yield* Effect.provideService(JobEvidence.gather({ repo, jobId, events: false }), Workspace, once)
      const { status } = evidence.files.state
      const violations = JobInvariants.violations(evidence)
      // What is damaged agrees with nothing.
      const damaged = violations.filter(({ invariant }) => invariant === "filesAreWhole")
      found.push(
        ...damaged.flatMap(({ detail, path }) =>
          known.some((other) => other.detail.includes(path)) ? [] : [finding("files", "error", detail, adviceFor(path))]
        )
      )
      for (const violation of damaged.length > 0 ? [] : violations) {
        const told = toldOf(violation, { jobId, sessionId: evidence.sessionId, status })
        if (told !== null) found.push(finding("jobs", told.status, `${jobId}: ${violation.detail}`, told.advice))
      }
    }
    const all = `${jobs.length === 1 ? "1 job" : `${jobs.length} jobs`} of ${repo}`
    return found.length > 0 || jobs.length === 0 || known.some(({ status }) => status === "error")
      ? found
      : [finding("jobs", "ok", `${all}: journals, sessions, dead letters and branches agree.`)]
  }, Effect.provide(sources))

  const leftOver = Effect.fnUntraced(function* (repo: RepoName) {
    const claimed = yield* Effect.either(home.claimOf(repo))
    // Damage is told by the check of files.
    if (claimed._tag === "Left" || claimed.right === null) return []
    const { path } = claimed.right
    const project = yield* Effect.either(workspaces.find(path))
    if (project._tag === "Left") {
      const advice = "Put it back, or remove what is stored of it by hand: its worktrees cannot be compared with it."
      return [finding("repositories", "warning", `The repository of ${repo} cannot be found at ${path}.`, advice)]
    }
    const found = yield* Effect.either(keeper.orphans({ project: project.right, repo }))
    if (found._tag === "Left") return [finding("worktrees", "error", found.left.message, "See: prodigy worktree ls")]
    const { stale, worktrees: orphans } = found.right
    const advice = `prodigy worktree clean-orphaned --path ${path}`
    return [
      ...(orphans.length === 0
        ? []
        : [finding("worktrees", "warning", `Left over of ${repo}: ${some(orphans.map((one) => one.path))}.`, advice)]),
      ...(stale.length === 0
        ? []
        : [finding("worktrees", "warning", `Listed as left over of ${repo}, and gone: ${some(stale)}.`, advice)])
    ]
  })

  /** Of everybody: of those that are being written right now there are few, and they are gone the next time. */
  const temporary = Effect.gen(function* () {
    const found: Array<string> = []
    const waiting = ["", "/state", "/sessions", "/resume_locks", "/dlq", "/events"].map((part) => `${home.root}${part}`)
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const name of yield* Effect.orElseSucceed(fs.readDirectory(directory), () => [])) {
        const path = `${directory}/${name}`
        if (TemporaryName.isTemporary(name)) found.push(path)
        // Everything else that we write has an extension; a job's dead letters may be ten thousand.
        else if (directory !== home.root && !/\.\w+$/.test(name) && !path.endsWith("/items")) waiting.push(path)
      }
    }
    return found.length === 0
      ? []
      : [
          finding(
            "temporary_files",
            "warning",
            `${found.length} left behind, or being written: ${some(found)}.`,
            "Nothing reads them; the next run of the repository removes those of dead processes."
          )
        ]
  })

  const ofRepository = Effect.fnUntraced(function* (repo: RepoName, home: ReadonlyArray<Finding>) {
    const files = yield* asFinding("files", damage(repo))
    return [
      ...files,
      ...(yield* asFinding("jobs", agreement(repo, [...home, ...files]))),
      ...(yield* asFinding("mappings", mappings(repo))),
      ...(yield* asFinding("worktrees", leftOver(repo)))
    ]
  })

  const examine = Effect.fn("Doctor.examine")(function* ({ projectPath }: { readonly projectPath: string }) {
    const health = yield* asFinding("home", storage.healthCheck)
    const found = [
      ...health,
      yield* git,
      yield* claude,
      yield* project(projectPath),
      ...(yield* asFinding(
        "repositories",
        Effect.flatMap(home.repoNames, (names) => Effect.forEach(names, (repo) => ofRepository(repo, health)))
      )).flat(),
      ...(yield* temporary)
    ]
    return { healthy: found.every(({ status }) => status !== "error"), findings: found }
  })

  return Doctor.of({ examine })
})

/** What cannot be read is what was to be found out. */
const asFinding = <A>(
  check: string,
  found: Effect.Effect<ReadonlyArray<A>, StorageError>
): Effect.Effect<ReadonlyArray<A | Finding>> =>
  Effect.catchAll(found, (error) =>
    Effect.succeed([finding(check, "error", error.message, "Look at who owns it, and at the disk.")])
  )

const adviceFor = (path: string): string => {
  if (path.endsWith("/index.jsonl")) return `Remove ${path}: the letters themselves are read then.`
  const [, job] = /\/mapreduce\/jobs\/([^/]+)\//.exec(path) ?? []
  return job === undefined
    ? `Move ${path} away to go on without it.`
    : `See what a resume can do without: prodigy checkpoints validate ${job}`
}

/**
 * What is said of a violation. Nothing where another look says it (locks, worktrees, files that are damaged, sessions that are
 * interrupted), where somebody is at it, and where a person may have wanted it so.
 */
const toldOf = (
  { byHand, invariant, severity }: JobInvariants.Violation,
  job: { readonly jobId: JobId; readonly sessionId: SessionId; readonly status: JobState["status"] }
): { readonly status: "warning" | "error"; readonly advice: string } | null => {
  const { jobId, sessionId } = job
  if (severity === "under_way") return null
  if (byHand) {
    return invariant === "keptWorkIsThere"
      ? { status: "warning", advice: `Who deleted it may remove the letter too; see: prodigy dlq list ${jobId}` }
      : null
  }
  switch (invariant) {
    case "filesAreWhole":
    case "ownerLives":
    case "nothingIsLeft":
    case "agentsAreGone":
    case "eventsTellTheRecords":
      return null
    case "checkpointsAreFolds":
      return { status: "error", advice: `prodigy checkpoints validate ${jobId} --repair` }
    case "indexTellsTheLetters":
      return { status: "error", advice: "Remove index.jsonl beside them: the letters are read then." }
    case "sessionIsTheJobs":
    case "sessionTellsTheState":
    case "summaryTellsTheState":
    case "lettersTellTheFailures":
    case "keptWorkIsThere":
    case "mergesAreRecorded":
      if (severity === "broken")
        return { status: "error", advice: `Before a resume, look at: prodigy checkpoints validate ${jobId}` }
      // Who is interrupted is told by the sessions.
      if (job.status === "cancelled") return { status: "warning", advice: `prodigy sessions cancel ${sessionId}` }
      return job.status === "completed" ? { status: "warning", advice: `prodigy resume ${sessionId}` } : null
  }
}

const some = (paths: ReadonlyArray<string>): string => {
  const more = paths.length - namedMax
  return `${paths.slice(0, namedMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Doctor,
  never,
  Agent | GlobalStorage | JobEvidence.Sources | SessionWorktrees | WorkflowStore | Worktrees
> = Layer.effect(Doctor, make)
