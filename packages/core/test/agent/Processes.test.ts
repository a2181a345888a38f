import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { CaptureBytesMax, KillGraceMillis, TailBytesMax } from "@prodigy/core/domain/Limits"
import type { Piece } from "@prodigy/core/agent/Output"
import { environment, Processes, type ProcessRequest, type Spawned } from "@prodigy/core/agent/Processes"
import * as NodeProcesses from "@prodigy/core/agent/Processes/Node"
import { RunMark } from "@prodigy/core/storage/ProcessRecord"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NodeFs from "node:fs"

describe("Processes", () => {
  it.scopedLive("tells exit code, output and where it ran", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const outcome = yield* shell("pwd; echo problem >&2; exit 3")
      assert.deepStrictEqual(
        [outcome.exitCode, outcome.signal, outcome.stoppedBy, outcome.stdout, outcome.stderr, outcome.truncated],
        [3, null, null, `${directory}\n`, "problem\n", { stdout: false, stderr: false }]
      )
      assert.deepStrictEqual(outcome.survivors, [])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("names the signal of a killed process and adds it to 128", () =>
    Effect.gen(function* () {
      const { shell } = yield* workshop
      const outcome = yield* shell("kill -9 $$")
      assert.deepStrictEqual([outcome.exitCode, outcome.signal, outcome.stoppedBy], [137, "SIGKILL", null])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("gives nothing to read unless asked, and then exactly that", () =>
    Effect.gen(function* () {
      const { shell } = yield* workshop
      assert.strictEqual((yield* shell("cat; echo end")).stdout, "end\n")
      assert.strictEqual((yield* shell("cat; echo end", { stdin: "über\n" })).stdout, "über\nend\n")
      // More than a pipe holds, and nobody reads it.
      assert.strictEqual((yield* shell("exit 0", { stdin: "x".repeat(1024 * 1024) })).exitCode, 0)
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("keeps the log whole while memory holds the beginning and the end, cut between characters", () =>
    Effect.gen(function* () {
      const { log, shell } = yield* workshop
      const outcome = yield* shell(
        "i=0; while [ $i -lt 50 ]; do printf 'äöü%s' $i; i=$((i+1)); done; printf 'ß' >&2"
      ).pipe(Effect.provideService(CaptureBytesMax, 16), Effect.provideService(TailBytesMax, 6))
      assert.strictEqual(outcome.stdout, "äöü0äöü1ä")
      assert.deepStrictEqual(outcome.truncated, { stdout: true, stderr: false })
      assert.strictEqual(NodeFs.readFileSync(log, "utf8").length, 3 * 50 + 10 + 2 * 40 + 1)
      assert.strictEqual(outcome.tail, "ü49ß")
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("passes 200 MB through in bounded memory", () =>
    Effect.gen(function* () {
      const { log, shell } = yield* workshop
      const before = process.memoryUsage().rss
      let peak = before
      const outcome = yield* shell("head -c 209715200 /dev/zero | tr '\\0' 'x'", {
        onOutput: () =>
          Effect.sync(() => {
            peak = Math.max(peak, process.memoryUsage.rss())
          })
      })
      assert.strictEqual(outcome.exitCode, 0)
      assert.strictEqual(NodeFs.statSync(log).size, 209715200)
      assert.strictEqual(outcome.stdout.length, 1024 * 1024)
      assert.isBelow(peak - before, 100 * 1024 * 1024)
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("hands over output in order, and reads no further until it is taken", () =>
    Effect.gen(function* () {
      const { directory, log, shell } = yield* workshop
      const taken = yield* Deferred.make<void>()
      const seen: Array<string> = []
      const marker = `${directory}/written-all`
      const running = yield* Effect.fork(
        shell(`head -c 8000000 /dev/zero; : > ${marker}`, {
          onOutput: (piece: Piece) =>
            Effect.zipRight(
              Effect.sync(() => seen.push(piece.stream)),
              Deferred.await(taken)
            )
        })
      )
      yield* until(() => seen.length === 1)
      assert.isFalse(NodeFs.existsSync(marker))
      yield* Deferred.succeed(taken, undefined)
      yield* Fiber.join(running)
      assert.strictEqual(NodeFs.statSync(log).size, 8000000)
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("writes whole lines of both streams when asked", () =>
    Effect.gen(function* () {
      const { directory, log, shell } = yield* workshop
      const halfway = yield* Deferred.make<void>()
      const running = yield* Effect.fork(
        shell(
          `mkfifo ${directory}/go; printf '{"a":'; read x < ${directory}/go; echo oops >&2; echo '1}'; printf rest`,
          {
            logBy: "lines",
            onOutput: () => Deferred.succeed(halfway, undefined)
          }
        )
      )
      yield* Deferred.await(halfway)
      yield* write(`${directory}/go`, "go\n")
      yield* Fiber.join(running)
      assert.sameMembers(NodeFs.readFileSync(log, "utf8").split("\n"), ["oops", '{"a":1}', "rest"])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("stops the whole tree at the time limit, however it hides", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const limited = yield* shell("exec sleep 300", { timeoutMillis: 100 })
      assert.deepStrictEqual([limited.stoppedBy, limited.signal, limited.exitCode], ["timeout", "SIGINT", 130])
      // As by a limit, once all of them are there: on a loaded machine nobody knows when that is.
      const outcome = yield* shell(stubborn(directory), { stopWhen: until(() => recordedPids(directory).length === 4) })
      assert.deepStrictEqual([outcome.stoppedBy, outcome.signal, outcome.exitCode], ["request", "SIGKILL", 137])
      assert.deepStrictEqual(outcome.survivors, [])
      assert.deepStrictEqual(recordedPids(directory).filter(isAlive), [])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("stops the whole tree before an interruption completes", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const running = yield* Effect.fork(shell(stubborn(directory)))
      yield* until(() => recordedPids(directory).length === 4)
      assert.strictEqual(recordedPids(directory).filter(isAlive).length, 4)
      const exit = yield* Fiber.interrupt(running)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(recordedPids(directory).filter(isAlive), [])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("asks first: a program that cleans up on INT has the time to", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const ready = yield* Deferred.make<void>()
      const outcome = yield* shell(
        `trap 'echo cleaned up; exit 5' INT; mkfifo ${directory}/never; echo ready; read x < ${directory}/never`,
        { onOutput: () => Deferred.succeed(ready, undefined), stopWhen: Deferred.await(ready) }
      )
      assert.deepStrictEqual(
        [outcome.exitCode, outcome.signal, outcome.stoppedBy, outcome.stdout],
        [5, null, "request", "ready\ncleaned up\n"]
      )
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("stops what a script leaves in a group of its own, without its environment", () =>
    Effect.gen(function* () {
      const { directory, run } = yield* workshop
      const outcome = yield* run({
        command: "bash",
        args: ["-c", `set -m; env -i sleep 300 & echo $! > ${directory}/pids; cut -d' ' -f5 /proc/$!/stat; echo $!`]
      })
      const [group, pid] = outcome.stdout.trim().split("\n")
      assert.strictEqual(group, pid)
      assert.deepStrictEqual(recordedPids(directory).filter(isAlive), [])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("stops what a script leaves in the background, in its group or in a session of its own", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const outcome = yield* shell(
        `sleep 300 & echo $! >> ${directory}/pids
        setsid sh -c 'echo $$ >> ${directory}/pids; exec sleep 300' &
        while [ $(wc -l < ${directory}/pids) -lt 2 ]; do :; done; echo done`
      )
      assert.deepStrictEqual([outcome.exitCode, outcome.stdout, outcome.survivors], [0, "done\n", []])
      assert.strictEqual(recordedPids(directory).length, 2)
      assert.deepStrictEqual(recordedPids(directory).filter(isAlive), [])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("does not wait for ever on output that is held open by a process it cannot find", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const outcome = yield* shell(
        `env -i setsid sh -c 'echo $$ > ${directory}/pids; exec sleep 300' &
        while [ ! -s ${directory}/pids ]; do :; done; echo done`
      )
      const [hidden] = recordedPids(directory)
      assert.isDefined(hidden)
      const alive = isAlive(hidden)
      process.kill(hidden, "SIGKILL")
      assert.isTrue(alive)
      assert.deepStrictEqual([outcome.exitCode, outcome.stdout], [0, "done\n"])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("takes a group of which only a zombie is left for gone", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const groups: Array<number> = []
      // The parent, which never reaps, hides; its dead child stays in the group. Dead before the shell begins, as a shell
      // reaps each child whose end it is told of, also one that is not its own.
      const script = `
import os
if os.fork() == 0:
  child = os.fork()
  if child == 0: os._exit(0)
  os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
  os.setsid()
  os.execve("/bin/sh", ["sh", "-c", "echo $$ > ${directory}/pids; exec sleep 300 >/dev/null 2>&1"], {})`
      const outcome = yield* shell(`python3 -c '${script}'; while [ ! -s ${directory}/pids ]; do :; done`, {
        onSpawn: ({ pid }) => Effect.sync(() => groups.push(-pid))
      })
      const groupAnswers = groups.every((group) => process.kill(group, 0))
      for (const pid of recordedPids(directory)) process.kill(pid, "SIGKILL")
      assert.isTrue(groupAnswers)
      assert.deepStrictEqual([outcome.exitCode, outcome.survivors], [0, []])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("tells the pid, the start time and the spawn id at once", () =>
    Effect.gen(function* () {
      const { shell } = yield* workshop
      const spawned: Array<Spawned> = []
      const outcome = yield* shell("echo $$; echo $PRODIGY_SPAWN_ID", {
        onSpawn: (process) => Effect.sync(() => void spawned.push(process))
      })
      assert.strictEqual(spawned.length, 1)
      assert.strictEqual(outcome.stdout, `${spawned[0]?.pid}\n${spawned[0]?.spawnId}\n`)
      assert.match(spawned[0]?.startedAt ?? "", /^\d+$/)
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("marks what it starts for a run, tells when it is there, and when all of it is gone", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const told: Array<string> = []
      const mark = {
        token: "the-token",
        started: ({ pid, startedAt }: { readonly pid: number; readonly startedAt: string | null }) =>
          Effect.sync(() => void told.push(`started ${pid} ${/^\d+$/.test(startedAt ?? "")}`)),
        ended: (pid: number) =>
          Effect.sync(() => void told.push(`ended ${pid} ${recordedPids(directory).filter(isAlive).length}`))
      }
      const inRun = Effect.provideService(RunMark, mark)
      const { stdout } = yield* inRun(shell("echo $$ $PRODIGY_SPAWN_ID"))
      const [pid, spawnId] = stdout.trim().split(" ")
      assert.match(spawnId ?? "", /^the-token\/[0-9a-f-]{36}$/)
      assert.deepStrictEqual(told.splice(0), [`started ${pid} true`, `ended ${pid} 0`])
      const running = yield* Effect.fork(inRun(shell(stubborn(directory))))
      yield* until(() => recordedPids(directory).length === 4)
      yield* Fiber.interrupt(running)
      const [first] = recordedPids(directory)
      assert.deepStrictEqual(told, [`started ${first} true`, `ended ${first} 0`])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("says why nothing could be started", () =>
    Effect.gen(function* () {
      const { directory, run } = yield* workshop
      NodeFs.writeFileSync(`${directory}/text`, "text")
      const reasonOf = (request: Partial<ProcessRequest>) =>
        Effect.map(Effect.flip(run(request)), (error) => error.reason)
      assert.strictEqual(yield* reasonOf({ command: "no-such-program" }), "not_found")
      assert.strictEqual(yield* reasonOf({ command: `${directory}/text/x` }), "not_found")
      assert.strictEqual(yield* reasonOf({ command: `${directory}/text` }), "permission")
      assert.strictEqual(yield* reasonOf({ cwd: `${directory}/none` }), "directory")
      assert.strictEqual(yield* reasonOf({ cwd: `${directory}/text` }), "directory")
      assert.strictEqual(yield* reasonOf({ args: ["x".repeat(200_000)] }), "too_long")
      assert.strictEqual(yield* reasonOf({ args: ["a\0b"] }), "other")
      assert.strictEqual(yield* reasonOf({ log: `${directory}/text/log` }), "other")
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("ends the run with the exception of a callback, and stops the process", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* workshop
      const exit = yield* Effect.exit(
        shell(`echo $$ > ${directory}/pids; echo x; exec sleep 300`, { onOutput: () => Effect.die("a bug") })
      )
      assert.deepStrictEqual(exit, Exit.die("a bug"))
      assert.deepStrictEqual(recordedPids(directory).filter(isAlive), [])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("kills what runs when the program itself exits without waiting", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const program = new URL("programs/leaves.ts", import.meta.url).pathname
      const outcome = yield* run({
        command: process.execPath,
        args: ["--import", "tsx", "--conditions", "@prodigy/source", program],
        cwd: new URL(".", import.meta.url).pathname
      })
      const pids = outcome.stdout.trim().split("\n").map(Number)
      assert.deepStrictEqual([outcome.exitCode, pids.length], [3, 2], outcome.stderr)
      assert.deepStrictEqual(pids.filter(isAlive), [])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("goes on without its log when the disk is full", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      // Every write to this device fails with ENOSPC.
      const outcome = yield* run({ args: ["-c", "echo one; echo two"], log: "/dev/full" })
      assert.deepStrictEqual([outcome.exitCode, outcome.stdout], [0, "one\ntwo\n"])
    }).pipe(Effect.provide(processes))
  )

  it.scopedLive("says that resources are used up when its log cannot be made on a full disk", () =>
    Effect.gen(function* () {
      const { run } = yield* Effect.provide(workshop, fullProcesses)
      const error = yield* Effect.flip(run({ args: ["-c", "echo one"] }))
      assert.strictEqual(error.reason, "resources")
      assert.include(error.message, "its log cannot be written")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it("makes the environment from what is given: no other repository, always automation", () => {
    const given = { PATH: "/bin", GIT_DIR: "/elsewhere", GIT_INDEX_FILE: "x", GIT_AUTHOR_NAME: "Dana", NONE: undefined }
    assert.deepStrictEqual(environment(given, { A: "1", PRODIGY_AUTOMATION: "no" }, "id"), {
      PATH: "/bin",
      GIT_AUTHOR_NAME: "Dana",
      A: "1",
      PRODIGY_AUTOMATION: "true",
      PRODIGY_SPAWN_ID: "id"
    })
    assert.strictEqual(environment({ PRODIGY_SPAWN_ID: "outer" }, {}, "inner")["PRODIGY_SPAWN_ID"], "outer/inner")
  })
})

const grace = 200

const processes = Layer.provideMerge(
  NodeProcesses.layer({ environment: { PATH: process.env["PATH"], HOME: process.env["HOME"] } }),
  NodeFileSystem.layer
)

/** As `processes`, on a disk where nothing new can be made. */
const fullProcesses = NodeProcesses.layer({ environment: {} }).pipe(
  Layer.provide(
    Layer.effect(
      FileSystem.FileSystem,
      Effect.map(FileSystem.FileSystem, (fs) => {
        const full = new SystemError({
          module: "FileSystem",
          method: "open",
          reason: "Unknown",
          description: "ENOSPC: no space left on device, open"
        })
        return FileSystem.make({ ...fs, open: () => full, makeDirectory: () => full })
      })
    )
  ),
  Layer.provideMerge(NodeFileSystem.layer)
)

/** A temporary directory, and shell scripts run in it. */
const workshop = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const service = yield* Processes
  const directory = yield* Effect.flatMap(fileSystem.makeTempDirectoryScoped(), fileSystem.realPath)
  const log = `${directory}/logs/step.log`
  const run = (request: Partial<ProcessRequest>) =>
    Effect.provideService(
      service.run({
        command: "sh",
        args: [],
        cwd: directory,
        env: {},
        stdin: null,
        log,
        timeoutMillis: null,
        ...request
      }),
      KillGraceMillis,
      grace
    )
  const shell = (script: string, request: Partial<ProcessRequest> = {}) => run({ args: ["-c", script], ...request })
  return { directory, log, run, shell }
})

/** Four processes that ignore INT and TERM: the shell, a child, a double fork, and one in a session of its own. */
const stubborn = (directory: string) => `
  trap '' INT TERM
  echo $$ >> ${directory}/pids
  sh -c 'echo $$ >> ${directory}/pids; while :; do sleep 300; done' &
  (sh -c 'echo $$ >> ${directory}/pids; while :; do sleep 300; done' &)
  setsid sh -c 'echo $$ >> ${directory}/pids; while :; do sleep 300; done' &
  while :; do sleep 300; done`

const recordedPids = (directory: string): ReadonlyArray<number> =>
  NodeFs.existsSync(`${directory}/pids`)
    ? NodeFs.readFileSync(`${directory}/pids`, "utf8").split("\n").filter(Boolean).map(Number)
    : []

const isAlive = (pid: number): boolean => {
  try {
    const stat = NodeFs.readFileSync(`/proc/${pid}/stat`, "latin1")
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))
  } catch {
    return false
  }
}

const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition()
      ? Effect.void
      : Effect.zipRight(
          Effect.yieldNow(),
          Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
        ).pipe(Effect.zipRight(until(condition)))
  )

const write = (path: string, text: string) => Effect.promise(() => NodeFs.promises.writeFile(path, text))
