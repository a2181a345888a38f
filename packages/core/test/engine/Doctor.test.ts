import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { JobId } from "@prodigy/core/domain/JobId"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { Doctor } from "@prodigy/core/engine/Doctor"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { SessionJobIndex } from "@prodigy/core/storage/SessionJobIndex"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import { NodeContext } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { inRepository, repo } from "./Bench.ts"

/** Two items, one of which fails: every kind of file is there afterwards. */
const workflow = `
name: some
setup:
  - shell: echo setup > setup.txt
map:
  input: { items: [a, b] }
  agent_template:
    - shell: test "\${item}" != b
reduce:
  - shell: echo done > done.txt
`

const steps = `
name: steps
commands:
  - shell: echo one > one
`

/** Every file below a directory with its content; git's own are not ours. */
const snapshot = (root: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(`${root}/${name}`).isFile())
      .map((name) => [name, readFileSync(`${root}/${name}`, "latin1")])
  )

describe("Doctor", () => {
  it.live("finds a storage that was used whole, names every file that is damaged, and changes nothing", () =>
    inRepository(({ project, run, runAny }) =>
      Effect.gen(function* () {
        const doctor = yield* Doctor
        const { root } = yield* ProdigyHome
        const fresh = yield* doctor.examine({ projectPath: project })
        assert.isTrue(fresh.healthy)
        assert.strictEqual(fresh.findings.find(({ check }) => check === "home")?.status, "warning")
        assert.isFalse(yield* (yield* FileSystem.FileSystem).exists(root))

        const { job_id: jobId } = yield* run(workflow)
        yield* runAny(steps)
        const before = snapshot(root)
        const { findings, healthy } = yield* doctor.examine({ projectPath: project })
        assert.isTrue(healthy)
        assert.deepStrictEqual(
          findings.filter(({ status }) => status !== "ok"),
          []
        )
        assert.match(findings.find(({ check }) => check === "git")?.detail ?? "", /^git \d+\.\d+/)
        assert.deepStrictEqual(snapshot(root), before)

        const sealed = [...before.keys()].filter(
          (name) =>
            /^(state|dlq)\//.test(name) &&
            /\/(?!results|index)[^/]*\.jsonl?$/.test(name) &&
            // One of its two places is enough to tell of: of both, only the first would be.
            !name.endsWith(".checkpoint.json")
        )
        const kinds = ["repository", "journal", "work-items", "job", "job-state", "checkpoint", "workflow", "items"]
        for (const kind of kinds)
          assert.isTrue(
            sealed.some((name) => name.includes(kind)),
            kind
          )
        // A byte of each, in the middle, where the text stays as long as it was.
        for (const name of sealed) {
          const text = before.get(name) ?? ""
          const at = text.search(/[0-9a-z](?=[0-9a-z]*"?,? ?)/) + Math.floor(text.length / 3)
          const digit = text.slice(at).search(/[0-9a-z]/) + at
          const other = text[digit] === "7" ? "8" : "7"
          writeFileSync(`${root}/${name}`, `${text.slice(0, digit)}${other}${text.slice(digit + 1)}`, "latin1")
        }
        const bad = snapshot(root)
        const after = yield* doctor.examine({ projectPath: project })
        assert.isFalse(after.healthy)
        const damaged = after.findings.filter(({ status }) => status === "error")
        for (const name of sealed) {
          assert.isTrue(
            damaged.some(({ detail }) => detail.includes(`${root}/${name}`)),
            name
          )
        }
        assert.include(damaged.find(({ detail }) => detail.includes("journal"))?.advice ?? "", `validate ${jobId}`)
        assert.deepStrictEqual(snapshot(root), bad)
      }).pipe(Effect.provide(NodeContext.layer))
    )
  )

  it.live("finds nothing wrong with a job while it runs, and says what does not agree with its journal after", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        const doctor = yield* Doctor
        const home = yield* ProdigyHome
        const sessions = yield* SessionStore
        const unwell = Effect.map(doctor.examine({ projectPath: project }), ({ findings }) =>
          // A temporary file may just be written.
          findings.filter(({ check, status }) => status !== "ok" && check !== "temporary_files" && check !== "home")
        )
        const running = yield* Effect.fork(run(workflow, { approve: "not_asked" }))
        let looks = 0
        while (Option.isNone(yield* Fiber.poll(running))) {
          assert.deepStrictEqual(yield* unwell, [])
          looks += 1
        }
        assert.isAbove(looks, 1)
        const { job_id: jobId, session_id: sessionId } = yield* Fiber.join(running)
        assert.deepStrictEqual(yield* unwell, [])

        // What its owner, killed behind the last record, would leave.
        const { owner, ...session } = yield* sessions.get(sessionId)
        const dead = { pid: 999_999_999, host: owner?.host ?? "", started_at: "never" }
        yield* sessions.update(sessionId, (now) => ({ ...now, status: "Running", owner: dead }))
        const [behind, ...none] = yield* unwell
        assert.deepStrictEqual(none, [])
        assert.deepStrictEqual([behind?.check, behind?.status], ["jobs", "warning"])
        assert.include(behind?.detail ?? "", "The session is Running, the job completed.")
        assert.strictEqual(behind?.advice, `prodigy resume ${sessionId}`)
        yield* sessions.update(sessionId, () => ({ ...session, owner }))
        assert.deepStrictEqual(yield* unwell, [])

        // What nothing of ours does: more merged than the journal says, and a branch that a letter names is gone.
        yield* sessions.update(sessionId, (now) => ({
          ...now,
          progress: now.progress.kind === "mapreduce" ? { ...now.progress, completed: 7 } : now.progress
        }))
        const queue = yield* DeadLetterQueue
        const letter = yield* queue.get(repo, jobId, ItemId.make("item_1"))
        assert.isNotNull(letter)
        yield* queue.put(repo, jobId, {
          ...letter!,
          worktree_artifacts: { branch_name: "prodigy-gone", tip: "1".repeat(40) }
        })
        const found = yield* unwell
        assert.deepStrictEqual(
          found.map(({ check, detail, status }) => [check, status, detail.includes(jobId)]),
          [
            ["jobs", "error", true],
            ["jobs", "warning", true]
          ]
        )
        assert.include(found[0]?.detail ?? "", "7 merged")
        assert.include(found[1]?.detail ?? "", "refs/heads/prodigy-gone")
        // The same damage is said once.
        writeFileSync(home.repo(repo).job(jobId).journal, "no journal\n")
        const damaged = (yield* unwell).filter(({ status }) => status === "error")
        assert.strictEqual(damaged.length, 1)
        assert.include(damaged[0]?.detail ?? "", "journal.jsonl:1 is damaged")
      })
    )
  )

  it.live("tells of what is left over: worktrees, lists, mappings, temporary files, repositories that are gone", () =>
    inRepository(({ git, project, run }) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const doctor = yield* Doctor
        const home = yield* ProdigyHome
        const jobs = yield* JobStore
        yield* run(workflow)
        const gone = JobId.make("mapreduce-20200102_030405")
        const sessionId = SessionId.fromJob(gone)
        yield* (yield* SessionJobIndex).put(repo, {
          session_id: sessionId,
          job_id: gone,
          workflow_name: "gone",
          created_at: "2020-01-02T03:04:05.000Z"
        })
        const worktree = home.repo(repo).worktree(sessionId)
        git("worktree", "add", "--quiet", "--detach", worktree)
        const path = `${home.repo(repo).worktrees}/mapreduce-agent-${gone}_3`
        yield* jobs.saveOrphans(repo, gone, [
          { path, agent_id: null, item_id: ItemId.make("a"), error: "busy", timestamp: "2020-01-02T03:04:05.000Z" }
        ])
        yield* fs.writeFileString(`${home.sessions}/.prodigy-tmp-x`, "")
        yield* fs.chmod(home.root, 0o755)
        const { findings, healthy } = yield* doctor.examine({ projectPath: "/" })
        assert.isTrue(healthy)
        const notes = findings.filter(({ status }) => status === "warning")
        const said = (check: string) => notes.flatMap((note) => (note.check === check ? [note.detail] : [])).join()
        assert.include(said("worktrees"), worktree)
        assert.include(said("worktrees"), path)
        assert.include(said("mappings"), home.repo(repo).mapping(gone))
        assert.include(said("temporary_files"), ".prodigy-tmp-x")
        assert.include(said("permissions"), "0755")
        assert.include(said("repository"), "not in a git repository")
        assert.isTrue(notes.every(({ advice }) => advice !== null))

        yield* fs.rename(project, `${project}-moved`)
        const moved = (yield* doctor.examine({ projectPath: "/" })).findings
        assert.include(moved.find(({ check }) => check === "repositories")?.detail ?? "", project)
      }).pipe(Effect.provide(NodeContext.layer))
    )
  )

  it.live("says that a root cannot be written, by trying", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { root } = yield* ProdigyHome
        yield* run(steps.replace("commands:", "map:\n  input: { items: [] }\n  agent_template:"))
        // As root, permissions stop nobody: what is in the way stops everybody.
        yield* fs.makeDirectory(`${root}/.write-probe`)
        const { findings, healthy } = yield* (yield* Doctor).examine({ projectPath: project })
        assert.isFalse(healthy)
        assert.strictEqual(findings.find(({ check }) => check === "writable")?.status, "error")
        execFileSync("rm", ["-rf", root])
        yield* fs.writeFileString(root, "")
        const file = yield* (yield* Doctor).examine({ projectPath: project })
        assert.deepInclude(file.findings[0], { check: "home", status: "error" })
      }).pipe(Effect.provide(NodeContext.layer))
    )
  )
})
