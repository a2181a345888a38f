/** Starts a process, prints its pid, and exits without having stopped it. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Processes } from "@prodigy/core/agent/Processes"
import * as NodeProcesses from "@prodigy/core/agent/Processes/Node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const program = Effect.flatMap(Processes, (processes) =>
  processes.run({
    command: "sh",
    args: ["-c", "trap '' INT TERM; echo $$; setsid sh -c 'trap \"\" TERM; echo $$; sleep 300' & sleep 300"],
    cwd: ".",
    env: {},
    stdin: null,
    log: null,
    timeoutMillis: null,
    onOutput: (() => {
      let printed = ""
      return (piece) =>
        Effect.sync(() => {
          printed += new TextDecoder().decode(piece.bytes)
          if (printed.split("\n").length <= 2) return
          process.stdout.write(printed)
          process.exit(3)
        })
    })()
  })
)

Effect.runFork(
  Effect.provide(
    program,
    Layer.provide(NodeProcesses.layer({ environment: { PATH: process.env["PATH"] } }), NodeFileSystem.layer)
  )
)
