import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { none, RunMark } from "@prodigy/core/storage/ProcessRecord"
import * as CommitMessage from "@prodigy/core/workspace/CommitMessage"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as RefName from "@prodigy/core/workspace/RefName"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { isolated, jobId, sandbox, sh, work } from "./GitSandbox.ts"

const real = Layer.provide(Git.layer, isolated)

describe("Git", () => {
  it("leaves variables out that would move a command elsewhere", () => {
    const environment = Git.environment({
      PATH: "/bin",
      GIT_DIR: "/x",
      GIT_WORK_TREE: "/x",
      GIT_INDEX_FILE: "/x",
      GIT_NAMESPACE: "x",
      GIT_TRACE: "1",
      GIT_AUTHOR_NAME: "Ada",
      GIT_SSH_COMMAND: "ssh -v",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      LC_ALL: "de_DE"
    })
    assert.deepStrictEqual(environment, {
      PATH: "/bin",
      GIT_AUTHOR_NAME: "Ada",
      GIT_SSH_COMMAND: "ssh -v",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      LC_ALL: "C",
      GIT_OPTIONAL_LOCKS: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_EDITOR: "true",
      GIT_MERGE_AUTOEDIT: "no"
    })
  })

  it.scopedLive(
    "marks its processes with the token of the run, the ones that answer too, and with none outside of one",
    () =>
      Effect.gen(function* () {
        const { repo } = yield* sandbox()
        const token = "01890a5d-ac96-774b-bcce-b302099a8057"
        yield* sh(
          repo,
          "git config alias.mark '!echo mark=$PRODIGY_SPAWN_ID'; git config alias.above '!sh .git/above.sh'"
        )
        writeFileSync(
          `${repo}/.git/above.sh`,
          `git=$(cut -d' ' -f4 /proc/$PPID/stat); shell=$(cut -d' ' -f4 /proc/$git/stat)
        tr '\\0' '\\n' < /proc/$shell/environ | grep PRODIGY_SPAWN_ID`
        )
        yield* Effect.gen(function* () {
          const git = yield* Git.Git
          const mark = Effect.map(git.run(["mark"], { cwd: repo }), ({ stdout }) => stdout)
          const marked = Effect.provideService(RunMark, { ...none, token })
          assert.strictEqual(yield* mark, "mark=\n")
          assert.strictEqual(yield* marked(mark), `mark=${token}/git\n`)
          assert.strictEqual(yield* mark, "mark=\n")
          // The shell that waits for the command, too: an earlier one without a mark is not taken for it.
          const shell = git.run(["above"], { cwd: repo }).pipe(Effect.map(({ stdout }) => stdout))
          assert.strictEqual(yield* marked(shell), `PRODIGY_SPAWN_ID=${token}/git\n`)
          const answers = yield* marked(git.dialogue(["mark"], { cwd: repo }))
          assert.deepStrictEqual(yield* answers.ask("", 1), [`mark=${token}/git`])
        }).pipe(Effect.scoped, Effect.provide(real))
      })
  )

  it("knows another process's lock from other failures", () => {
    const locks = [
      "fatal: Unable to create '/r/.git/index.lock': File exists.\n\nAnother git process seems to be running in this repository",
      "error: could not lock config file .git/config: File exists",
      "fatal: cannot lock ref 'refs/heads/x': Unable to create '/r/.git/refs/heads/x.lock': File exists.",
      "fatal: failed to read /r/.git/worktrees/x/commondir: Success",
      "warning: something\nerror: Unable to create '/r/.git/packed-refs.lock': File exists."
    ]
    const others = [
      "fatal: cannot lock ref 'refs/heads/x': is at 1 but expected 2",
      "fatal: Unable to create '/r/.git/index.lock': Permission denied",
      "fatal: not a git repository",
      "hint: Unable to create 'x.lock': File exists",
      ""
    ]
    assert.deepStrictEqual(
      locks.map((text) => Git.tellsOfLock(128, text)),
      locks.map(() => true)
    )
    assert.deepStrictEqual(
      others.map((text) => Git.tellsOfLock(128, text)),
      others.map(() => false)
    )
    assert.isFalse(Git.tellsOfLock(0, locks[0] ?? ""))
  })

  it.scopedLive("goes before what the user's files and variables say of how closely git looks and how it syncs", () =>
    Effect.gen(function* () {
      const { repo } = yield* sandbox()
      yield* sh(repo, "git config core.trustctime false; git config core.fsyncMethod writeout-only")
      const variables = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "core.trustctime", GIT_CONFIG_VALUE_0: "false" }
      const processes = Layer.map(isolated, (context) => {
        const found = Context.get(context, Git.GitProcess)
        return Context.make(Git.GitProcess, { ...found, environment: { ...found.environment, ...variables } })
      })
      const values = yield* Effect.flatMap(Git.Git, (git) =>
        Effect.forEach(["core.trustctime", "core.fsyncMethod"], (name) =>
          Effect.map(git.run(["config", "--get", name], { cwd: repo, reads: true }), ({ stdout }) => stdout.trim())
        )
      ).pipe(Effect.provide(Layer.provide(Git.layer, processes)))
      assert.deepStrictEqual(values, ["true", "fsync"])
    })
  )

  it.scopedLive("waits for a lock of another process", () =>
    Effect.gen(function* () {
      const { repo } = yield* sandbox()
      const git = yield* Git.Git
      yield* sh(repo, "touch .git/index.lock; echo x > x")
      const adding = yield* Effect.fork(git.run(["add", "x"], { cwd: repo }))
      // A second command that needs the lock has failed once it is seen to be there.
      const refused = yield* Effect.promise(() => Promise.resolve(tryAdd(repo)))
      assert.isTrue(refused)
      yield* sh(repo, "rm .git/index.lock")
      yield* Fiber.join(adding)
      assert.strictEqual(yield* sh(repo, "git diff --cached --name-only"), "x")
    }).pipe(Effect.provide(real))
  )

  it.scopedLive("fails with command, exit code and the end of what was said", () =>
    Effect.gen(function* () {
      const { directory, repo } = yield* sandbox()
      const git = yield* Git.Git
      const failed = yield* Effect.flip(git.run(["rev-parse", "--verify", "nope"], { cwd: repo }))
      assert.deepInclude(failed, {
        args: ["rev-parse", "--verify", "nope"],
        cwd: repo,
        reason: "failed",
        exitCode: 128
      })
      assert.match(failed.stderr, /Needed a single revision/)
      const nowhere = yield* Effect.flip(git.run(["status"], { cwd: `${directory}/nope` }))
      assert.deepInclude(nowhere, { reason: "no_directory", exitCode: null })
    }).pipe(Effect.provide(real))
  )

  it.scopedLive("says that git is missing", () =>
    Effect.gen(function* () {
      const git = yield* Git.Git
      const failed = yield* Effect.flip(git.run(["version"], { cwd: "/" }))
      assert.deepInclude(failed, { reason: "missing", exitCode: null })
      const dialogue = yield* git.dialogue(["cat-file", "--batch-check"], { cwd: "/" })
      assert.deepInclude(yield* Effect.flip(dialogue.ask("HEAD\n", 1)), { reason: "missing" })
    }).pipe(
      Effect.provide(
        Layer.provide(
          Git.layer,
          Layer.effect(
            Git.GitProcess,
            Effect.map(Git.GitProcess, (processes) => ({ ...processes, environment: { PATH: "/nonexistent" } }))
          ).pipe(Layer.provide(GitNode.layer))
        )
      )
    )
  )

  it.scopedLive("ends a command that reads when it is interrupted", () =>
    Effect.gen(function* () {
      const { repo } = yield* sandbox()
      const git = yield* Git.Git
      yield* sh(repo, "mkfifo pipe; git config alias.wait '!cat pipe'")
      const waiting = yield* Effect.fork(git.run(["wait"], { cwd: repo, reads: true }))
      // Opening the pipe for writing returns once the command reads it.
      yield* sh(repo, "exec 3> pipe; kill -0 $$")
      yield* Fiber.interrupt(waiting)
      assert.isTrue((yield* Fiber.await(waiting))._tag !== undefined)
    }).pipe(Effect.provide(real))
  )

  it.scopedLive("asks a process again after it has died", () =>
    Effect.gen(function* () {
      const { repo } = yield* sandbox()
      const git = yield* Git.Git
      const refs = yield* git.dialogue(["update-ref", "--stdin"], { cwd: repo })
      const [head, zeros] = [yield* sh(repo, "git rev-parse HEAD"), "0".repeat(40)]
      const create = (name: string) => refs.ask(`start\ncreate refs/heads/${name} ${head}\nprepare\ncommit\n`, 3)
      yield* create("one")
      const died = yield* Effect.flip(create("one"))
      assert.deepInclude(died, { reason: "failed", exitCode: 128 })
      yield* create("two")
      assert.strictEqual(
        yield* sh(repo, `git rev-parse two; git rev-parse --verify -q ${zeros} || true`),
        `${head}\n${zeros}`
      )
    }).pipe(Effect.provide(real))
  )
})

const isRef = (ref: string): boolean => {
  try {
    execFileSync("git", ["check-ref-format", ref], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

const nasty = FastCheck.oneof(
  FastCheck.string({ minLength: 1, maxLength: 200, unit: "binary" }),
  FastCheck.stringMatching(/^[.@{}~^:?*\\[\]/ %a-z-]{1,20}(\.lock)?$/),
  FastCheck.constantFrom("..", ".", "a..b", "a.", "x.lock", "@", "@{", "-", "a/../b", "%2E", ".lock", "...lock")
)

describe("RefName", () => {
  it.prop("gives a valid ref for every text", [nasty], ([text]) => isRef(RefName.rescue(jobId, text, 1)), {
    fastCheck: { numRuns: 60 }
  })

  it.prop(
    "gives different refs for different texts",
    [nasty, nasty],
    // Unpaired surrogates have no form in UTF-8, and no file can hold them apart.
    ([one, other]) => utf8(one) === utf8(other) || RefName.component(one) !== RefName.component(other)
  )
})

const utf8 = (text: string): string => Buffer.from(text).toString("hex")

describe("CommitMessage", () => {
  it.prop("has one line of subject and exactly three trailers, whatever the item's id", [nasty], ([id]) => {
    const text = CommitMessage.merge(jobId, { ...work(3), itemId: ItemId.make(id) })
    const [subject = "", blank, ...trailers] = text.trimEnd().split(/\r\n|[\n\r\u2028\u2029\v\f\u0085]/)
    return (
      Array.from(subject).length <= CommitMessage.subjectCharactersMax + 60 &&
      blank === "" &&
      trailers.map((line) => line.split(":")[0]).join() === "Prodigy-Job,Prodigy-Item,Prodigy-Agent"
    )
  })

  it("cuts a long id in the subject and keeps it whole in the trailer", () => {
    const id = "🦊".repeat(300)
    const text = CommitMessage.leftovers(jobId, work(0, { id }))
    assert.strictEqual(text.split("\n")[0], `Prodigy: ${"🦊".repeat(71)}… (attempt 1)`)
    assert.include(text, `Prodigy-Item: ${id}\n`)
  })
})

const tryAdd = (repo: string): boolean => {
  try {
    execFileSync("git", ["add", "x"], { cwd: repo, stdio: "ignore" })
    return false
  } catch {
    return true
  }
}
