/**
 * An agent that does what a test says: no process, and time only as the clock has it.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { Agent, type AgentReply, type AgentRequest } from "@prodigy/core/agent/Agent"
import type { SpawnError } from "@prodigy/core/agent/Processes"
import type { Nature } from "@prodigy/core/domain/Failure"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import * as Usage from "@prodigy/core/domain/Usage"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ScriptedProgram from "./ScriptedProgram.ts"

/**
 * What an agent does: see `ScriptedProgram.Script`. A handler in the manner of `layer` is one too.
 *
 * @since 0.1.0
 * @category models
 */
export type Script = ScriptedProgram.Script<AgentRequest, AgentReply>

/**
 * What an agent does before it ends, and what that costs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Deeds extends ScriptedProgram.Deeds<AgentRequest> {
  /** Dollars. */
  readonly cost?: number
  readonly usage?: Partial<Usage.Usage>
  /** Its last words: the output of the step. */
  readonly says?: string
}

type Play = ScriptedProgram.Play<AgentRequest, AgentReply>

// -----------------------------------------------------------------------------
// plays
// -----------------------------------------------------------------------------

/**
 * The agent does its work.
 *
 * @since 0.1.0
 * @category plays
 */
export const succeeds = (deeds: Deeds = {}): Play => ScriptedProgram.answers(deeds, () => spent(deeds))

/**
 * The agent says that it failed, in its own words.
 *
 * @since 0.1.0
 * @category plays
 */
export const fails = (
  message: string,
  deeds: Deeds & { readonly subtype?: string; readonly exitCode?: number; readonly nature?: Nature } = {}
): Play => {
  const { exitCode = 1, nature, subtype = "error_during_execution" } = deeds
  const why = { subtype, message, exitCode, ...(nature === undefined ? {} : { nature }) }
  return ScriptedProgram.answers(deeds, () => ({
    ...spent(deeds),
    outcome: { _tag: "Failed", ...why },
    tail: `${message}\n`
  }))
}

/**
 * The agent's quota is used up, and is there again after `resetsIn`; without it nobody knows when.
 *
 * @since 0.1.0
 * @category plays
 */
export const quota = (
  deeds: Deeds & { readonly resetsIn?: Duration.DurationInput; readonly message?: string } = {}
): Play => {
  const { message = "The usage limit is reached.", resetsIn } = deeds
  const millis = resetsIn === undefined ? null : Duration.toMillis(resetsIn)
  return ScriptedProgram.answers(deeds, (now) => ({
    ...spent(deeds),
    outcome: {
      _tag: "QuotaExceeded",
      resetsAt: millis === null ? null : Timestamp.fromMillis(now + millis),
      message
    }
  }))
}

/**
 * The agent ends without a result.
 *
 * @since 0.1.0
 * @category plays
 */
export const breaks = (
  deeds: Deeds & { readonly exitCode?: number; readonly signal?: string; readonly message?: string } = {}
): Play => {
  const { exitCode = 1, message = "it ended without a result", signal = null } = deeds
  const outcome = { _tag: "Broken", exitCode, signal, message } as const
  return ScriptedProgram.answers(deeds, () => ({ ...spent(deeds), outcome }))
}

/**
 * The agent never ends: its step's time limit, the item's, or an interruption ends it.
 *
 * @since 0.1.0
 * @category plays
 */
export const hangs = (deeds: Omit<Deeds, "takes" | "commits" | "says"> = {}): Play =>
  ScriptedProgram.hangs(deeds, spent(deeds))

/**
 * The machine is switched off, and with it Prodigy, before the agent ends.
 *
 * @since 0.1.0
 * @category plays
 */
export const crashes = (deeds: ScriptedProgram.Deeds<AgentRequest> = {}): Play => ScriptedProgram.crashes(deeds)

const spent = ({ cost, says, usage }: Deeds): Partial<AgentReply> => ({
  result: says ?? "",
  tail: says === undefined ? "" : `${says}\n`,
  usage: { ...Usage.none, ...usage, ...(cost === undefined ? {} : { usd: cost }) }
})

// -----------------------------------------------------------------------------
// choices
// -----------------------------------------------------------------------------

/**
 * Chooses by the id of the item; outside of items, and for the others, `otherwise` is played.
 *
 * @since 0.1.0
 * @category choices
 */
export const items = (scripts: Readonly<Record<string, Script>>, otherwise: Script = succeeds()): Script =>
  ScriptedProgram.items(scripts, otherwise)

/**
 * Chooses by the step: by its id, or by its name or a part of it. The first that fits.
 *
 * @since 0.1.0
 * @category choices
 */
export const steps = (scripts: Readonly<Record<string, Script>>, otherwise: Script = succeeds()): Script =>
  ScriptedProgram.steps(scripts, otherwise)

/**
 * Chooses by chance, each script by its weight: the same for the same seed, item, step, attempt and try.
 *
 * @since 0.1.0
 * @category choices
 */
export const chance: (
  weighted: ReadonlyArray<readonly [weight: number, script: Script]>,
  options?: { readonly seed?: number }
) => Script = ScriptedProgram.chance

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * The agent is `handler`. What it leaves out of a reply is that of an agent that succeeded for free, saying nothing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  handler: (request: AgentRequest) => Effect.Effect<Partial<AgentReply>, SpawnError>
): Layer.Layer<Agent> =>
  Layer.succeed(Agent, {
    check: Effect.succeed({ version: "scripted" }),
    run: (request) => Effect.map(handler(request), reply)
  })

/**
 * The agent follows a script, in directories of the `FileSystem` that is given: the real one, or a simulated one.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerScript = (
  script: Script,
  options: { readonly seed?: number } = {}
): Layer.Layer<Agent, never, FileSystem.FileSystem> =>
  Layer.unwrapEffect(
    Effect.map(FileSystem.FileSystem, (files) => {
      const stage = ScriptedProgram.stageOf(files, { program: "agent", seed: options.seed ?? 1 })
      return layer((request) => run(script, request, stage, "agent"))
    })
  )

/**
 * Answers a request by a script, and tells of what was said and used as an agent does.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (
  script: Script,
  request: AgentRequest,
  stage: ScriptedProgram.Stage,
  place: string
): Effect.Effect<Partial<AgentReply>, SpawnError> =>
  Effect.tap(
    ScriptedProgram.play(script, request, stage, {
      program: "agent",
      place,
      timedOut: { outcome: { _tag: "TimedOut" }, result: "" }
    }),
    ({ result, usage }) =>
      Effect.gen(function* () {
        if (result) yield* request.onEvent({ _tag: "Message", role: "assistant", text: result })
        if (usage !== undefined && isSome(usage)) yield* request.onEvent({ _tag: "Used", usage })
      })
  )

const isSome = ({ cache_tokens, input_tokens, output_tokens, usd }: Usage.Usage): boolean =>
  cache_tokens + input_tokens + output_tokens + usd > 0

/**
 * @since 0.1.0
 * @category constructors
 */
export const reply = (facts: Partial<AgentReply>): AgentReply => ({
  outcome: { _tag: "Succeeded" },
  result: "",
  agentSessionId: null,
  usage: Usage.none,
  tail: "",
  durationMillis: 0,
  ...facts
})
