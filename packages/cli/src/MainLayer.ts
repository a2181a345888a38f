/**
 * The program's layers: this process on one side, core on the other.
 *
 * With `bin.ts` the only module that names `process`.
 *
 * @since 0.1.0
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Claude from "@prodigy/core/agent/Claude"
import * as ProcessesNode from "@prodigy/core/agent/Processes/Node"
import * as ReaperNode from "@prodigy/core/agent/Reaper/Node"
import * as Shell from "@prodigy/core/agent/Shell"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as Prodigy from "@prodigy/core/engine/Prodigy"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as CompressionNode from "@prodigy/core/storage/Compression/Node"
import * as DiskSpaceNode from "@prodigy/core/storage/DiskSpace/Node"
import * as DiskSyncNode from "@prodigy/core/storage/DiskSync/Node"
import * as ProcessTableNode from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as GitWorkspace from "@prodigy/core/workspace/GitWorkspace"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { closeSync, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { homedir } from "node:os"
import * as AskApproval from "./AskApproval.ts"
import type { Services } from "./Cli.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Screen from "./Screen.ts"

const size = (stream: NodeJS.WriteStream) => ({ columns: stream.columns || 80, rows: stream.rows || 24 })

const readLine = Effect.async<Option.Option<string>>((resume) => {
  const lines = createInterface({ input: process.stdin, terminal: false })
  lines.once("line", (line) => resume(Effect.succeed(Option.some(line))))
  lines.once("close", () => resume(Effect.succeed(Option.none())))
  return Effect.sync(() => lines.close())
}).pipe(Effect.ensuring(Effect.sync(() => void process.stdin.pause())))

const codeOf = (error: Error): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : error.message

/** Takes away what is drawn on the terminal. */
let leaveScreen = () => ""

const device: Screen.Device = {
  dataIsTerminal: process.stdout.isTTY === true,
  noteIsTerminal: process.stderr.isTTY === true,
  inputIsTerminal: process.stdin.isTTY === true,
  env: process.env,
  dataColumns: () => size(process.stdout).columns,
  noteSize: () => size(process.stderr),
  atEnd: (leave) => void (leaveScreen = leave),
  writeData: (text) =>
    Effect.async((resume) => {
      process.stdout.write(text, (error) => resume(Effect.succeed(error == null ? null : codeOf(error))))
    }),
  writeNote: (text) => Effect.sync(() => void process.stderr.write(text)),
  readLine
}

/**
 * The terminal of this process. A reader that goes away is found out at the next write, not by a crash.
 *
 * @since 0.1.0
 * @category layers
 */
export const screen: Layer.Layer<Screen.Screen> = Layer.suspend(() => {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
  return Screen.layer(device)
})

/**
 * The version, as `package.json` beside the bundle says.
 *
 * @since 0.1.0
 * @category constants
 */
export const version: Effect.Effect<string> = Effect.sync(() => {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8")
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? "unknown"
})

const platform = Layer.mergeAll(
  NodeContext.layer,
  IdGenerator.layer,
  ProcessTableNode.layer,
  DiskSpaceNode.layer,
  DiskSyncNode.layer,
  CompressionNode.layer,
  GitNode.layer
)

/** Null: the user has none. */
const homeDirectory = (): string | null => {
  try {
    return homedir()
  } catch {
    return null
  }
}

const files = ProdigyHome.layerConfig({ homeDirectory }).pipe(
  Layer.catchAll((error) => (error._tag === "HomeUnknown" ? Layer.fail(error) : Layer.die(error))),
  Layer.provideMerge(Layer.provide(AtomicFile.layer, TemporaryName.layerWriter))
)

const storage = Prodigy.layerStores.pipe(Layer.provideMerge(files))

const agents = Layer.mergeAll(Shell.layer, Layer.orDie(Claude.layerConfig())).pipe(
  Layer.provide(ProcessesNode.layer({ environment: process.env }))
)

const workspace = GitWorkspace.layer.pipe(Layer.provide(Git.layer))

/**
 * Everything that the commands need of core, on this machine's git, processes and disk.
 *
 * @since 0.1.0
 * @category layers
 */
export const services: Layer.Layer<Services, ProdigyHome.HomeUnknown, Screen.Screen> = Prodigy.layer.pipe(
  Layer.provide([AskApproval.layer, agents, ReaperNode.layer, workspace]),
  Layer.provide(storage),
  Layer.provide(platform)
)

/**
 * Watches for the signals that interrupt, and says which came first, as an exit code. The runtime interrupts on the
 * first; a second one ends the program at once. A terminal that is closed counts as `SIGTERM` does, and only once: both
 * the kernel and the shell tell.
 *
 * @since 0.1.0
 * @category signals
 */
export const watchSignals = (): (() => number | null) => {
  let first: number | null = null
  let passingOn = false
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    const code = ExitCode.interrupted[name]
    process.on(name, () => {
      if (passingOn) return
      if (first !== null) {
        // What comes next must not be mixed with the block.
        if (process.stderr.isTTY) process.stderr.write(leaveScreen())
        process.exit(code)
      }
      first = code
    })
  }
  process.on("SIGHUP", () => {
    process.on("exit", leaveTerminal)
    if (first !== null) return
    first = ExitCode.interrupted.SIGHUP
    passingOn = true
    process.emit("SIGTERM")
    passingOn = false
  })
  return () => first
}

/**
 * Node crashes at its exit when it cannot set a terminal back that was closed, and the exit code is lost. All has been
 * written by then: what is closed is left alone.
 */
const leaveTerminal = () => {
  for (const fd of [0, 1, 2]) {
    try {
      closeSync(fd)
    } catch {
      // It was closed before.
    }
  }
}
