/**
 * The agent that is the Claude Code command line.
 *
 * Owns its arguments and its process. `ClaudeProtocol` owns what it prints; `Processes` starts and stops.
 *
 * @since 0.1.0
 */
import * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent, AgentMissing, type AgentRequest } from "./Agent.ts"
import * as ClaudeProtocol from "./ClaudeProtocol.ts"
import * as Origin from "./Origin.ts"
import * as Output from "./Output.ts"
import { Processes } from "./Processes.ts"

/**
 * Milliseconds that the program may go on after its result, for hooks and the like, before it is stopped.
 *
 * @since 0.1.0
 * @category references
 */
export class ResultGraceMillis extends Context.Reference<ResultGraceMillis>()(
  "@prodigy/core/agent/Claude/ResultGraceMillis",
  { defaultValue: () => 30_000 }
) {}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** A program on the `PATH`, or a path. Default `claude`. */
  readonly command?: string | undefined
  /**
   * `skip` (default) is `--dangerously-skip-permissions`: nobody is there to be asked, and the agent works in a worktree
   * of its own. Any other value is a `--permission-mode`.
   */
  readonly permission?: "skip" | "acceptEdits" | "bypassPermissions" | "default" | "dontAsk" | "plan" | undefined
  readonly extraArgs?: ReadonlyArray<string> | undefined
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Agent, never, Processes | Path.Path> =>
  Layer.effect(
    Agent,
    Effect.gen(function* () {
      const processes = yield* Processes
      const path = yield* Path.Path
      const named = options.command ?? "claude"
      // A relative path is meant from where the program was started, not from every worktree.
      const command = named.includes("/") ? path.resolve(named) : named

      const check = Effect.gen(function* () {
        const outcome = yield* Effect.mapError(
          processes.run({
            command,
            args: ["--version"],
            cwd: path.resolve(),
            env: outside,
            stdin: null,
            log: null,
            timeoutMillis: checkMillisMax
          }),
          (error) =>
            new AgentMissing({
              agent: "claude",
              command,
              detail: error.reason === "not_found" ? "there is no such program" : error.detail
            })
        )
        if (outcome.stoppedBy === null && outcome.exitCode === 0) return { version: outcome.stdout.trim() }
        const detail =
          outcome.stoppedBy === "timeout"
            ? `--version did not end within ${checkMillisMax / 1000} seconds`
            : `--version ended with exit code ${outcome.exitCode}: ${outcome.tail.trim()}`
        return yield* new AgentMissing({ agent: "claude", command, detail })
      }).pipe(Effect.withSpan("Claude.check"))

      const run = Effect.fn("Claude.run")(function* (request: AgentRequest) {
        yield* Effect.annotateCurrentSpan(Origin.attributes(request.origin))
        const conversation = yield* listen(request)
        const resultGraceMillis = yield* ResultGraceMillis
        const { args, stdin } = commandLine(options, request)
        const outcome = yield* (
          processes
            .run({
              command,
              args,
              cwd: request.cwd,
              env: { ...outside, ...request.env },
              stdin,
              log: request.log,
              logBy: "lines",
              timeoutMillis: request.timeoutMillis,
              stopWhen: Effect.zipRight(conversation.awaitResult, Effect.sleep(resultGraceMillis)),
              onOutput: conversation.take
            })
            // What was used has to be paid, whoever hears of it.
            .pipe(Effect.onInterrupt(() => conversation.end))
        )
        const transcript = yield* conversation.end
        const { exitCode, signal, stoppedBy } = outcome
        return {
          outcome: ClaudeProtocol.conclude(transcript, {
            exitCode,
            signal,
            timedOut: stoppedBy === "timeout",
            stopped: stoppedBy === "request"
          }),
          result: ClaudeProtocol.lastWords(transcript),
          agentSessionId: transcript.agentSessionId,
          usage: ClaudeProtocol.usageOf(transcript),
          tail: outcome.tail,
          durationMillis: outcome.durationMillis
        }
      })

      return Agent.of({ check, run })
    })
  )

/**
 * As `layer`, the command from `PRODIGY_CLAUDE_COMMAND` when that is set.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (options: Options = {}): Layer.Layer<Agent, ConfigError, Processes | Path.Path> =>
  Layer.unwrapEffect(
    Effect.map(
      Config.withDefault(Config.nonEmptyString("PRODIGY_CLAUDE_COMMAND"), options.command ?? "claude"),
      (command) => layer({ ...options, command })
    )
  )

const checkMillisMax = 30_000

/** Under this variable the program takes itself for a tool of another conversation, and refuses to start. */
const outside = { CLAUDECODE: undefined }

/** Bytes of a prompt on the command line. Linux takes 128 KiB in one argument. */
const promptArgumentBytesMax = 96 * 1024

/** Bytes of a line that is understood. A longer one, such as a tool's result with a large file, is in the log only. */
const lineBytesMax = 16 * 1024 * 1024

const commandLine = (options: Options, request: AgentRequest) => {
  const permission = options.permission ?? "skip"
  const flags = [
    "--print",
    // Before our own: an option of theirs that takes any number of values must not take the prompt.
    ...(options.extraArgs ?? []),
    "--output-format",
    "stream-json",
    "--verbose",
    ...(request.model === null ? [] : ["--model", request.model]),
    ...(permission === "skip" ? ["--dangerously-skip-permissions"] : ["--permission-mode", permission])
  ]
  const { prompt } = request
  // On standard input goes what is too long for an argument, or would be taken for an option, or cannot be one.
  const asArgument =
    new TextEncoder().encode(prompt).length < promptArgumentBytesMax &&
    !/^\s*(-|$)/.test(prompt) &&
    !prompt.includes("\0")
  return asArgument ? { args: [...flags, prompt], stdin: null } : { args: flags, stdin: prompt }
}

/** Takes the output piece by piece, tells of its events, and knows when the result is there. */
const listen = Effect.fnUntraced(function* (request: AgentRequest) {
  const lines = Output.makeLines(lineBytesMax)
  const resulted = yield* Deferred.make<void>()
  let transcript = ClaudeProtocol.empty
  const takeLines = Effect.fnUntraced(function* (texts: ReadonlyArray<string>) {
    for (const line of texts) {
      const [next, events] = ClaudeProtocol.step(transcript, line)
      transcript = next
      for (const event of events) yield* request.onEvent(event)
      if (next.result !== null) yield* Deferred.succeed(resulted, undefined)
    }
  })
  return {
    awaitResult: Deferred.await(resulted),
    take: (piece: Output.Piece) => (piece.stream === "stdout" ? takeLines(lines.add(piece.bytes)) : Effect.void),
    end: Effect.gen(function* () {
      yield* takeLines(lines.rest())
      const usage = ClaudeProtocol.usageOf(transcript)
      // With a result it has been told already.
      if (transcript.result === null && usage.output_tokens > 0) yield* request.onEvent({ _tag: "Used", usage })
      return transcript
    })
  }
})
