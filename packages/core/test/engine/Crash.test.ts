/**
 * Every window between an effect and its record, on real git and real files: a job stops at one of its effects, as if its
 * process was killed there, and the next process goes on.
 */
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as JobId from "@prodigy/core/domain/JobId"
import { WorkflowRun } from "@prodigy/core/engine/WorkflowRun"
import { WorkspaceError } from "@prodigy/core/workspace/Workspace"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Bench, inRepository, layer, repo, type Services } from "./Bench.ts"
import * as Mortal from "./Mortal.ts"

const workflow = (side: string) => `
name: windows
env: { SIDE: ${side} }
setup:
  commands:
    - shell: echo setup >> "$SIDE"; echo s > set-up; echo v7
      capture: release
  auto_commit: true
map:
  input: { items: [1, 2] }
  max_parallel: 1
  agent_template:
    - shell: echo "item_\${item_index}" >> "$SIDE"; [ "\${item}" = 1 ] || exit 3; echo "\${release}" > made
reduce:
  - shell: echo reduce >> "$SIDE"; echo "\${map.successful} \${release}" > reduced
`

const agent = ScriptedAgent.layer(() => Effect.succeed({}))
const namesIn = (directory: string) => (existsSync(directory) ? readdirSync(directory) : [])
const filesBelow = (directory: string) =>
  existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: "utf8" }) : []

const jobsOf = (home: string) => {
  const jobs = join(home, "state", repo, "mapreduce/jobs")
  return namesIn(jobs).filter((name) => existsSync(join(jobs, name, "job.json")))
}

const recordsOf = (home: string, job: string) => {
  const path = join(home, "state", repo, "mapreduce/jobs", job, "journal.jsonl")
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : []
  return lines.map((line) => JSON.parse(line).record)
}

/** What the journal says is done, in the words of the side log. */
const doneOf = (home: string): ReadonlyArray<string> =>
  jobsOf(home)
    .flatMap((job) => recordsOf(home, job))
    .flatMap((record) => {
      if (record.type === "setup_completed") return ["setup"]
      if (record.type === "item_completed" || record.type === "item_failed") return [`item_${record.index}`]
      return record.type === "reduce_step_completed" ? ["reduce"] : []
    })

/** Runs the job in a process that stops, and in another one to its end. */
const stopsAndGoesOn = (isLast: (step: Mortal.Step) => boolean) =>
  inRepository((bench) =>
    Effect.gen(function* () {
      const side = join(bench.project, "../side.log")
      const began = () => (existsSync(side) ? readFileSync(side, "utf8").split("\n").filter(Boolean) : [])
      const mortal = Mortal.make(999_001, isLast)
      const heir = Mortal.make(999_002, () => false)
      const process = (life: Mortal.Mortal) => (use: Effect.Effect<unknown, unknown, Services>) =>
        Effect.provide(use, layer(bench.home, agent, {}, life.ports))

      const first = yield* Effect.forkDaemon(process(mortal)(bench.run(workflow(side))))
      const ended = yield* Effect.raceFirst(Effect.as(mortal.stopped, false), Effect.as(first.await, true))
      assert.isFalse(ended, "it did not come there")
      const [done, before] = [doneOf(bench.home), began().length]
      const [job] = jobsOf(bench.home)
      const next = job === undefined ? bench.run(workflow(side)) : bench.resume(JobId.JobId.make(job))
      yield* process(heir)(Effect.catchTag(next, "AlreadyCompleted" as never, () => Effect.void))
      const last = mortal.steps.at(-1)
      const where = `after a stop before ${last?.number}, ${last?.name}`

      assert.deepStrictEqual(
        began()
          .slice(before)
          .filter((what) => done.includes(what)),
        [],
        `ran again ${where}`
      )
      assert.deepStrictEqual(leftOf(bench), nothing, where)
    })
  )

const nothing = {
  merged: ["item_0"],
  files: "made\nreduced\nset-up",
  reduced: "1 v7",
  letters: 1,
  session: ["Completed", null],
  outcomes: ["merged"],
  worktrees: [],
  branches: "",
  orphans: [],
  litter: []
}

const leftOf = ({ git, home, project }: Bench) => {
  const [job = ""] = jobsOf(home)
  const json = (path: string) => JSON.parse(readFileSync(join(home, path), "utf8"))
  const session = json(`sessions/session-${job}.json`)
  const orphans = join("state", repo, "orphaned_worktrees", `${job}.json`)
  return {
    merged: git("log", "--merges", "--format=%(trailers:key=Prodigy-Item,valueonly,separator=)")
      .split("\n")
      .filter(Boolean),
    files: git("ls-tree", "--name-only", "main"),
    reduced: git("show", "main:reduced"),
    letters: namesIn(join(home, "dlq", repo, job, "items")).length,
    session: [session.status, session.worktree],
    outcomes: recordsOf(home, job).flatMap(({ finish, type }) => (type === "finished" ? [finish.outcome] : [])),
    worktrees: [
      ...namesIn(join(home, "worktrees", repo)).filter((name) => name !== ".metadata"),
      ...namesIn(join(home, "worktrees", repo, ".metadata")),
      ...namesIn(join(project, ".git/worktrees"))
    ],
    branches: git("branch", "--list", "prodigy*", "--merged", "main"),
    orphans: existsSync(join(home, orphans)) ? json(orphans).worktrees : [],
    litter: [...filesBelow(home), ...filesBelow(join(project, ".git"))]
      .filter((path) => /\.prodigy-tmp-|\.lock$|\.lock\.|\.guard|\.tmp$|^resume_locks\/./.test(path))
      // Of a job that never had a job file nobody asks any more.
      .filter((path) => path.includes(job) || !/\d{8}_\d{6}/.test(path))
  }
}

/** Before the n-th effect whose name fits. */
const before = (name: RegExp, nth = 1) => {
  let seen = 0
  return (step: Mortal.Step) => name.test(step.name) && ++seen === nth
}

/** Before the first effect behind the record of that type. */
const behind = (type: string) => {
  let written = false
  let synced = false
  return (step: Mortal.Step) => {
    if (synced) return true
    if (written) synced = true
    written ||= step.name.includes("journal.jsonl") && step.name.includes(` ${type}`)
    return false
  }
}

const record = (type: string) => before(new RegExp(`journal\\.jsonl.* ${type}\\b`))

const windows: ReadonlyArray<readonly [name: string, isLast: () => (step: Mortal.Step) => boolean]> = [
  ["with half of its claim on the repository's name", () => before(/^link .*\/state\/project\/\.prodigy-tmp/)],
  ["with a lock and no job", () => before(/^rename .*jobs\/.*prodigy-tmp/)],
  ["with half of its mapping", () => before(/^rename .*\/mappings\//, 2)],
  ["with its worktree half made", () => before(/^git checkout/)],
  ["with its worktree made and no record of it", () => before(/^rename .*\.metadata\//)],
  ["with setup done and not recorded", () => record("setup_completed")],
  ["with an agent's worktree half handed out", () => before(/^git update-ref/, 2)],
  ["with an agent's worktree handed out and not recorded", () => before(/^writeFile.*_0\.json\.tmp/)],
  ["with an agent's work committed and not recorded", () => record("item_completed")],
  ["with an agent's work recorded and not merged", () => behind("item_completed")],
  ["with a merge made and not recorded", () => record("item_merged")],
  ["with a failed attempt recorded and no dead letter", () => behind("item_failed")],
  ["with a reduce step done and not recorded", () => record("reduce_step_completed")],
  ["with reduce sealed and not merged", () => before(/^git (\S+ )?merge --ff-only/)],
  ["with the final merge made and not recorded", () => record("finished")],
  ["with the final merge recorded and the session running", () => behind("finished")],
  ["with some of its worktrees removed", () => before(/^remove .*\/worktrees\/project\/session-/, 2)],
  ["with everything done and its lock left", () => before(/^remove .*resume_locks.*\.lock/)]
]

describe("a process that is killed", () => {
  it.live.each(windows)("%s leaves nothing undone, done twice or lying about", ([, isLast]) => stopsAndGoesOn(isLast()))

  // All of them take minutes: STOPS=1-400/3 looks at every third effect from the first to the 400th.
  const [first = 1, last = 0, by = 1] = (process.env["STOPS"] ?? "").split(/[-/]/).filter(Boolean).map(Number)
  const numbers = Array.from({ length: Math.floor((last - first) / by) + 1 }, (_, index) => first + index * by)
  if (numbers.length > 0) {
    it.live.each(numbers)("before effect %i leaves nothing undone, done twice or lying about", (number) =>
      stopsAndGoesOn((step) => step.number === number)
    )
  }
})

describe("a session's branch that somebody has deleted", () => {
  const job = (flag: string, reduce: string) => `
name: deleted
map:
  input: { items: [1, 2] }
  agent_template:
    - shell: echo "\${item}" > "made-\${item}"
reduce:
${reduce}  - shell: test -e ${flag} && echo done > done
`
  /** As one deletes a branch by hand. Says where it was. */
  const deleted = ({ git }: Bench, { branch, worktree }: { readonly branch: string; readonly worktree: string }) => {
    const tip = git("rev-parse", branch)
    git("worktree", "remove", "--force", worktree)
    git("branch", "-D", branch)
    return tip
  }

  it.live("is made again where the last recorded merge left it", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const flag = join(bench.project, "../flag")
        const failed = yield* bench.run(job(flag, ""))
        assert.strictEqual(failed.status, "failed")
        deleted(bench, failed)
        writeFileSync(flag, "")
        const report = yield* bench.resume(failed.job_id)
        assert.strictEqual(report.finish?.outcome, "merged")
        assert.strictEqual(bench.git("ls-tree", "--name-only", "main"), "done\nmade-1\nmade-2")
      })
    )
  )

  it.live("is not, when it held more: resuming fails until it is put back", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const flag = join(bench.project, "../flag")
        const failed = yield* bench.run(
          job(flag, "  - shell: echo first > first; git add --all; git commit --quiet --message=first\n")
        )
        assert.strictEqual(failed.status, "failed")
        const tip = deleted(bench, failed)
        writeFileSync(flag, "")
        const error = yield* Effect.flip(bench.resume(failed.job_id))
        assert.instanceOf(error, WorkspaceError)
        assert.strictEqual(error.reason, "checkout_damaged")
        assert.include(error.detail, `git branch ${failed.branch} COMMIT`)
        bench.git("branch", failed.branch, tip)
        const report = yield* bench.resume(failed.job_id)
        assert.strictEqual(report.finish?.outcome, "merged")
        assert.strictEqual(bench.git("ls-tree", "--name-only", "main"), "done\nfirst\nmade-1\nmade-2")
      })
    )
  )

  it.live("is missed by a standard workflow of which a step is done", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const flag = join(bench.project, "../flag")
        const report = yield* bench.runAny(
          `name: w\ncommands:\n  - shell: echo first > first; git add --all; git commit --quiet --message=first\n  - shell: test -e ${flag}\n`
        )
        assert.strictEqual(report.status, "failed")
        const tip = deleted(bench, report)
        writeFileSync(flag, "")
        const service = yield* WorkflowRun
        const resume = service.resume({
          repo,
          sessionId: report.session_id,
          force: false,
          approve: "yes",
          waitsForQuota: true
        })
        const error = yield* Effect.flip(resume)
        assert.instanceOf(error, WorkspaceError)
        bench.git("branch", report.branch, tip)
        assert.strictEqual((yield* resume).finish?.outcome, "merged")
        assert.strictEqual(bench.git("ls-tree", "--name-only", "main"), "first")
      })
    )
  )
})
