/**
 * A process that stops at one of its effects on files or on git, as if it was killed right before it: from then on it does
 * nothing any more, and cleans nothing up. Commands and writes that are under way in that moment come to their end.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"

/** An effect that changes something: `replace` of a file, `git update-ref`, … `number` counts from 1. */
export interface Step {
  readonly number: number
  readonly name: string
}

export interface Mortal {
  readonly ports: Layer.Layer<ProcessTable.ProcessTable | Git.GitProcess | NodeContext.NodeContext>
  /** What it did, and where it has stopped: the last one was not done. */
  readonly steps: ReadonlyArray<Step>
  /** Succeeds when it has stopped and nothing of it is under way. */
  readonly stopped: Effect.Effect<void>
}

/** The types of the records that are written. */
const typesIn = (written: unknown): string =>
  written instanceof Uint8Array
    ? [...new TextDecoder().decode(written).matchAll(/"record":\{"type":"(\w+)"/g)]
        .map(([, type]) => ` ${type}`)
        .join("")
    : ""

/** Names of the members that change something. */
const changing = new Set([
  "chmod",
  "copyFile",
  "link",
  "makeDirectory",
  "open",
  "remove",
  "rename",
  "truncate",
  "writeFile",
  "writeFileString",
  "write",
  "writeAll",
  "sync"
])

// What has stopped never takes its listener away.
process.setMaxListeners(0)

export const make = (pid: number, isLast: (step: Step) => boolean): Mortal => {
  const steps: Array<Step> = []
  const over = Deferred.unsafeMake<void>(FiberId.none)
  let dead = false
  let underWay = 0
  const settle = () => {
    if (dead && underWay === 0) Deferred.unsafeDone(over, Effect.void)
  }
  const guard = <A, E, R>(name: string | null, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      if (dead) return Effect.never
      if (name !== null) {
        const step = { number: steps.length + 1, name }
        steps.push(step)
        if (isLast(step)) {
          dead = true
          settle()
          return Effect.never
        }
      }
      underWay += 1
      const ended = Effect.sync(() => {
        underWay -= 1
        settle()
      })
      return Effect.zipLeft(
        Effect.ensuring(effect, ended),
        Effect.suspend(() => (dead ? Effect.never : Effect.void))
      )
    })

  /** The service with every effect of its members guarded. */
  const guarded = <A extends object>(service: A, of: string | null): A =>
    new Proxy(service, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key)
        const name = String(key)
        const one = (effect: unknown, path: string): unknown => {
          if (!Effect.isEffect(effect)) return effect
          const all = effect as Effect.Effect<unknown, unknown, unknown>
          const mapped =
            name === "open"
              ? Effect.map(all, (file) => (typeof file === "object" && file !== null ? guarded(file, path) : file))
              : all
          const reads = name === "open" && path.endsWith(" r")
          return guard(changing.has(name) && !reads ? `${name} ${path}` : null, mapped)
        }
        if (typeof member !== "function") return one(member, of ?? "")
        return (...args: ReadonlyArray<unknown>) => {
          const flag = args[1] !== null && typeof args[1] === "object" && "flag" in args[1] ? String(args[1].flag) : "r"
          const path =
            of === null ? `${String(args[0])}${name === "open" ? ` ${flag}` : ""}` : `${of}${typesIn(args[0])}`
          return one(Reflect.apply(member, target, args), path)
        }
      }
    })

  const isAnswer = (request: Git.GitRequest) => request.env["GIT_OPTIONAL_LOCKS"] === "0"
  const commandOf = ({ args }: Git.GitRequest) => {
    const [first, ...rest] = args.filter((arg, index) => arg !== "-c" && args[index - 1] !== "-c")
    return `git ${[first, ...rest].join(" ")}`
  }
  const git = Layer.effect(
    Git.GitProcess,
    Effect.map(Git.GitProcess, (processes) => ({
      environment: processes.environment,
      run: (request: Git.GitRequest) => guard(isAnswer(request) ? null : commandOf(request), processes.run(request)),
      dialogue: (request: Git.GitRequest) =>
        Effect.map(processes.dialogue(request), (dialogue) => ({
          ask: (text: string, lines: number) =>
            guard(request.args.includes("cat-file") ? null : commandOf(request), dialogue.ask(text, lines))
        }))
    }))
  ).pipe(Layer.provide(GitNode.layer))

  const files = Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => guarded(fs, null))
  )

  return {
    ports: Layer.mergeAll(
      git,
      ProcessTable.layerTest({ self: { pid, host: "bench", started_at: "1" } }),
      Layer.provideMerge(files, NodeContext.layer)
    ),
    steps,
    stopped: Deferred.await(over)
  }
}
