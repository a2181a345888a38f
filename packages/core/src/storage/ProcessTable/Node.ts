/**
 * The processes of this host, through Node.
 *
 * On Linux a process is named by the host's boot, its pid namespace and the clock tick it started at (`/proc`); elsewhere
 * by the start time that `ps` prints. Where the system does not let us look, a process that exists counts as alive: a
 * lock is never taken over by guess.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFile } from "node:child_process"
import { readFile, readlink } from "node:fs/promises"
import { hostname } from "node:os"
import type { Owner } from "../../domain/Owner.ts"
import { ProcessTable } from "../ProcessTable.ts"

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ProcessTable> = Layer.effect(
  ProcessTable,
  Effect.gen(function* () {
    const world = yield* thisWorld
    const found = yield* startOf(process.pid)
    const start = found._tag === "Started" ? found.at : unknownStart
    const self: Owner = { pid: process.pid, host: hostname(), started_at: [...world, start].join("/") }

    const lookUp = Effect.fnUntraced(function* (owner: Owner) {
      if (owner.host !== self.host) return "elsewhere"
      const [boot, namespace, startedAt] = owner.started_at.split("/")
      if (boot !== world[0]) return "dead"
      if (namespace !== world[1]) return "elsewhere"
      if (!exists(owner.pid)) return "dead"
      const now = yield* startOf(owner.pid)
      if (now._tag === "Gone") return "dead"
      if (now._tag === "Hidden" || startedAt === unknownStart) return "alive"
      return now.at === startedAt ? "alive" : "dead"
    })

    /** What cannot be told from another process of that pid is not signalled. */
    const isProven = (owner: Owner) =>
      Effect.map(startOf(owner.pid), (now) => now._tag === "Started" && owner.started_at.endsWith(`/${now.at}`))

    return {
      self,
      lookUp,
      terminate: Effect.fnUntraced(function* (owner) {
        if ((yield* lookUp(owner)) !== "alive" || !(yield* isProven(owner))) return false
        return yield* Effect.sync(() => signal(owner.pid, "SIGTERM"))
      })
    }
  })
)

const unknownStart = "unknown"

/** False: it has ended, or is not ours to signal. */
const signal = (pid: number, name: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

type Start = { readonly _tag: "Started"; readonly at: string } | { readonly _tag: "Gone" } | { readonly _tag: "Hidden" }

/** Absence is an answer here, whatever its reason: no `/proc`, or a kernel that keeps this to itself. */
const orUndefined = <A>(attempt: () => Promise<A>): Effect.Effect<A | undefined> =>
  Effect.orElseSucceed(Effect.tryPromise(attempt), () => undefined)

/** What start times and pids are relative to: the boot and the pid namespace. */
const thisWorld: Effect.Effect<readonly [string, string]> = Effect.gen(function* () {
  const boot = yield* orUndefined(() => readFile("/proc/sys/kernel/random/boot_id", "utf8"))
  const namespace = yield* orUndefined(() => readlink("/proc/self/ns/pid"))
  return [boot?.trim() ?? process.platform, /\d+/.exec(namespace ?? "")?.[0] ?? "0"]
})

/** EPERM says that the process exists and belongs to somebody else. */
const exists = (pid: number): boolean => {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

const startOf = (pid: number): Effect.Effect<Start> =>
  process.platform === "linux" ? startFromProc(pid) : startFromPs(pid)

/** The name (field 2) may hold anything, also spaces and parentheses, so fields are counted from the last one on. */
const startFromProc = (pid: number): Effect.Effect<Start> =>
  Effect.map(
    orUndefined(() => readFile(`/proc/${pid}/stat`, "utf8")),
    (stat): Start => {
      if (stat === undefined) return exists(pid) ? { _tag: "Hidden" } : { _tag: "Gone" }
      const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      const at = fields[18]
      // A zombie holds nothing any more; only its parent has not noticed.
      if (state === "Z" || state === "X") return { _tag: "Gone" }
      return at === undefined ? { _tag: "Hidden" } : { _tag: "Started", at }
    }
  )

const startFromPs = (pid: number): Effect.Effect<Start> =>
  Effect.async<Start>((resume) => {
    const env = { ...process.env, LC_ALL: "C", TZ: "UTC" }
    execFile("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { env }, (error, stdout) => {
      const [, state, at] = /^\s*(\S+)\s+(.*\S)/.exec(stdout) ?? []
      if (error !== null || state === undefined || at === undefined) {
        return resume(Effect.succeed(exists(pid) ? { _tag: "Hidden" } : { _tag: "Gone" }))
      }
      resume(
        Effect.succeed(state.startsWith("Z") ? { _tag: "Gone" } : { _tag: "Started", at: at.replaceAll(/\s+/g, "_") })
      )
    })
  })
