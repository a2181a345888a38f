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
import type { RepoName } from "../domain/RepoName.ts"
import { AtomicFile, StorageError } from "../storage/AtomicFile.ts"
import { CheckpointStore } from "../storage/CheckpointStore.ts"
import { Finding, finding, GlobalStorage } from "../storage/GlobalStorage.ts"
import * as Integrity from "../storage/Integrity.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { SessionJobIndex } from "../storage/SessionJobIndex.ts"
import * as TemporaryName from "../storage/TemporaryName.ts"
import { WorkflowStore } from "../storage/WorkflowStore.ts"
import { Workspace } from "../workspace/Workspace.ts"
import { Worktrees } from "../workspace/Worktrees.ts"
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

const make = Effect.gen(function* () {
  const agent = yield* Agent
  const file = yield* AtomicFile
  const fs = yield* FileSystem.FileSystem
  const home = yield* ProdigyHome
  const index = yield* SessionJobIndex
  const keeper = yield* SessionWorktrees
  const storage = yield* GlobalStorage
  const workspaces = yield* Workspace
  const worktrees = yield* Worktrees
  const sources = yield* Effect.context<AtomicFile | CheckpointStore | ProdigyHome | WorkflowStore>()

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

  const ofRepository = (repo: RepoName) =>
    Effect.map(
      Effect.all([
        asFinding("files", damage(repo)),
        asFinding("mappings", mappings(repo)),
        asFinding("worktrees", leftOver(repo))
      ]),
      (found) => found.flat()
    )

  const examine = Effect.fn("Doctor.examine")(function* ({ projectPath }: { readonly projectPath: string }) {
    const found = [
      ...(yield* asFinding("home", storage.healthCheck)),
      yield* git,
      yield* claude,
      yield* project(projectPath),
      ...(yield* asFinding(
        "repositories",
        Effect.flatMap(home.repoNames, (names) => Effect.forEach(names, ofRepository))
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
  const [, job] = /\/mapreduce\/jobs\/([^/]+)\//.exec(path) ?? []
  return job === undefined
    ? `Move ${path} away to go on without it.`
    : `See what a resume can do without: prodigy checkpoints validate ${job}`
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
  | Agent
  | AtomicFile
  | CheckpointStore
  | FileSystem.FileSystem
  | GlobalStorage
  | ProdigyHome
  | SessionJobIndex
  | SessionWorktrees
  | WorkflowStore
  | Workspace
  | Worktrees
> = Layer.effect(Doctor, make)
