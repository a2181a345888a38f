import { assert, describe, it } from "@effect/vitest"
import { Reaper } from "@prodigy/core/agent/Reaper"
import * as NodeReaper from "@prodigy/core/agent/Reaper/Node"
import { KillGraceMillis } from "@prodigy/core/domain/Limits"
import * as SessionId from "@prodigy/core/domain/SessionId"
import type { Found } from "@prodigy/core/storage/ProcessRecord"
import * as Samples from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync, watch } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder where victims say that they are there, by files named after their pids; and what has to be ended with it. */
const workshop = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "prodigy-reaper-"))
    const children: Array<number> = []
    const token = randomUUID()
    /**
     * Starts a script as an agent is started, in a session of its own, marked, by a program that is gone at once.
     * `$HERE/$$` says that it is there.
     */
    const start = (script: string, mark: string | null = `${token}/${randomUUID()}`) => {
      const env = { PATH: process.env["PATH"], HERE: folder, ...(mark === null ? {} : { PRODIGY_SPAWN_ID: mark }) }
      const args = ["-c", `setsid sh -c "$1" > /dev/null 2>&1 < /dev/null & echo $!`, "sh", script]
      const pid = Number(execFileSync("sh", args, { env, encoding: "utf8" }))
      children.push(pid)
      return pid
    }
    const pids = () => readdirSync(folder).map(Number).filter(Number.isInteger)
    const there = (count: number) =>
      Effect.async<ReadonlyArray<number>>((resume) => {
        const watcher = watch(folder, () => check())
        const check = () => {
          if (pids().length < count) return
          watcher.close()
          resume(Effect.succeed(pids()))
        }
        check()
      })
    /** What the dead owner left; `recorded` is what it wrote down. */
    const found = (recorded: Found["processes"] = []): Found => ({
      run: {
        v: 1,
        type: "run",
        session_id: SessionId.fromJob(Samples.jobId()),
        owner: { pid: 1, host: "here", started_at: "1" },
        token,
        at: "2026-01-02T03:04:05.000Z"
      },
      processes: recorded
    })
    return { folder, start, there, pids, found, children, token }
  }),
  ({ children, folder, pids }) =>
    Effect.sync(() => {
      for (const pid of [...pids(), ...children]) {
        try {
          process.kill(pid, "SIGKILL")
        } catch {
          // As it should be: the test has stopped it.
        }
      }
      rmSync(folder, { recursive: true, force: true })
    })
)

const stat = (pid: number): ReadonlyArray<string> => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")
  } catch {
    return []
  }
}

const lives = (pid: number): boolean => /^[^ZX]$/.test(stat(pid)[0] ?? "")

const line = (pid: number, started_at: string | null, atMillis = Date.now()): Found["processes"][number] => ({
  v: 1,
  type: "process",
  pid,
  started_at,
  at: new Date(atMillis).toISOString()
})

const stop = (found: Found) =>
  Effect.flatMap(Reaper, (reaper) => reaper.stop(found)).pipe(Effect.provideService(KillGraceMillis, 100))

const forever = `touch "$HERE/$$"; while :; do sleep 1; done`

describe("Reaper", () => {
  it.scopedLive(
    "stops the whole tree of a dead owner by its token alone, however it hides and whatever it ignores",
    () =>
      Effect.gen(function* () {
        const { found, start, there } = yield* workshop
        start(`trap '' INT TERM
        sh -c '${forever}' &
        (sh -c '${forever}' &)
        setsid sh -c '${forever}' &
        env -i HERE="$HERE" PATH="$PATH" sh -c '${forever}' &
        ${forever}`)
        const pids = yield* there(5)
        assert.deepStrictEqual(pids.filter(lives), pids)
        const reaped = yield* stop(found())
        assert.deepStrictEqual(pids.filter(lives), [])
        assert.includeMembers([...reaped.stopped], [...pids])
        assert.deepStrictEqual(reaped.survivors, [])
      }).pipe(Effect.provide(NodeReaper.layer))
  )

  it.scopedLive("stops what wiped its environment by the pid and the start time that were written down", () =>
    Effect.gen(function* () {
      const { found, start, there } = yield* workshop
      const pid = start(`exec env -i HERE="$HERE" PATH="$PATH" sh -c '${forever}'`)
      yield* there(1)
      assert.deepStrictEqual((yield* stop(found())).stopped, [])
      assert.isTrue(lives(pid))
      const reaped = yield* stop(found([line(pid, stat(pid)[19] ?? "")]))
      assert.include(reaped.stopped, pid)
      assert.isFalse(lives(pid))
    }).pipe(Effect.provide(NodeReaper.layer))
  )

  it.scopedLive("touches no process of another run, of nobody, or of a pid that was given out again", () =>
    Effect.gen(function* () {
      const { found, start, there, token } = yield* workshop
      const others = [
        start(forever, null),
        start(forever, `${randomUUID()}/${randomUUID()}`),
        // The token of another run that happens to begin alike.
        start(forever, `${token}0/${randomUUID()}`)
      ]
      yield* there(3)
      const reused = others.map((pid) => line(pid, `${stat(pid)[19]}0`))
      const reaped = yield* stop(found(reused))
      assert.deepStrictEqual(reaped, { stopped: [], survivors: [] })
      assert.deepStrictEqual(others.filter(lives), others)
    }).pipe(Effect.provide(NodeReaper.layer))
  )

  it.scopedLive("lets a git command of the dead owner come to its end by itself", () =>
    Effect.gen(function* () {
      const { folder, found, start, there, token } = yield* workshop
      const script = `trap 'touch "$HERE/cut"; exit' INT TERM; touch "$HERE/$$"; sleep 2; touch "$HERE/whole"`
      const pid = start(script, `${token}/git`)
      yield* there(1)
      const reaped = yield* stop(found())
      assert.include(reaped.stopped, pid)
      assert.sameMembers(readdirSync(folder), [String(pid), "whole"])
    }).pipe(Effect.provide(NodeReaper.layer))
  )

  it.scopedLive("never stops the program that asks, and says that it is in the way", () =>
    Effect.gen(function* () {
      const { found } = yield* workshop
      const own = line(process.pid, stat(process.pid)[19] ?? "")
      assert.deepStrictEqual((yield* stop(found([own]))).survivors, [process.pid])
    }).pipe(Effect.provide(NodeReaper.layer))
  )

  it.scopedLive("without /proc: stops the group of a process whose start it can prove, and no other", () =>
    Effect.gen(function* () {
      const { found, start, there } = yield* workshop
      const ours = start(`trap '' INT TERM; sh -c '${forever}' & ${forever}`)
      const reused = start(forever, null)
      const pids = yield* there(3)
      const group = pids.filter((pid) => stat(pid)[2] === String(ours))
      assert.strictEqual(group.length, 2)
      const reaped = yield* stop(found([line(ours, null), line(reused, null, Date.now() - 60_000)]))
      assert.includeMembers([...reaped.stopped], group)
      assert.deepStrictEqual(reaped.survivors, [])
      assert.deepStrictEqual(pids.filter(lives), [reused])
    }).pipe(Effect.provide(NodeReaper.layerPortable))
  )
})
