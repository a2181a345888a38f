/**
 * `prodigy worktree clean`.
 *
 * @since 0.1.0
 */
import { SessionWorktrees } from "@prodigy/core/engine/SessionWorktrees"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { WorktreeCleaning } from "../../Render/WorktreesJson.ts"
import { UsageError } from "../../UsageError.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const all = Flag.on("all", { alias: "a", description: "All of this repository" })
const mergedOnly = Flag.on("merged-only", { description: "Only those with nothing to lose, whatever else is given" })
const mapreduce = Flag.on("mapreduce", { description: "Only those of MapReduce jobs" })
const olderThan = Flag.value("older-than", {
  value: "TIME",
  description: "Only those last used before then: 12h, 3d, 2w ago, or a time",
  read: Flag.moment,
  otherwise: null
})
const jobId = Flag.value("job-id", {
  value: "ID",
  description: "Only those of this job",
  read: Flag.text,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandWorktreeClean = CommandTree.leaf({
  name: "clean",
  summary: "Remove worktrees that nobody needs, never work that is nowhere else",
  args: { name: Flag.optionalArgument("NAME", "A worktree, a session, a job, the beginning of one, or latest") },
  flags: {
    all,
    mergedOnly,
    mapreduce,
    olderThan,
    jobId,
    dryRun: own.dryRun,
    force: own.force,
    path: flags.path,
    json: flags.json
  },
  json: JsonOutput.document(WorktreeCleaning),
  examples: [
    { line: "prodigy worktree clean --all", does: "remove those with nothing to lose" },
    {
      line: "prodigy worktree clean -a --older-than 7d -f",
      does: "old ones, their work kept on rescue refs"
    }
  ],
  handler: ({ args: { name }, flags: given }) =>
    Effect.gen(function* () {
      const worktrees = yield* SessionWorktrees
      const selects =
        given.all || given.mergedOnly || given.mapreduce || given.olderThan !== null || given.jobId !== null
      if (name === null && !selects) {
        return yield* new UsageError({
          what: "Name a worktree or a session, or take all of them: --all.",
          suggestions: [],
          command: "prodigy worktree clean"
        })
      }
      const nowMillis = yield* Clock.currentTimeMillis
      const cleaning = yield* worktrees.clean({
        projectPath: yield* flags.project(given.path),
        select: {
          id: name,
          job: given.jobId,
          mapReduceOnly: given.mapreduce,
          mergedOnly: given.mergedOnly,
          beforeMillis: given.olderThan === null ? null : Flag.millisOf(given.olderThan, nowMillis)
        },
        force: given.force,
        dryRun: given.dryRun
      })
      yield* own.print(cleaning, given)
    })
})
