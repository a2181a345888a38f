/**
 * The program.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Cli from "./Cli.ts"
import * as ExitCode from "./ExitCode.ts"
import * as MainLayer from "./MainLayer.ts"

const signal = MainLayer.watchSignals()

NodeRuntime.runMain(
  Cli.run(process.argv.slice(2), { version: MainLayer.version, services: MainLayer.services }).pipe(
    Effect.provide(Layer.merge(MainLayer.screen, NodeContext.layer))
  ),
  {
    disableErrorReporting: true,
    // It writes to standard output, which is for data; log lines are notes: see `Cli`.
    disablePrettyLogger: true,
    teardown: (exit, end) =>
      end(
        Exit.match(exit, {
          onSuccess: (code) => code as number,
          onFailure: () => signal() ?? ExitCode.internal.code
        })
      )
  }
)
