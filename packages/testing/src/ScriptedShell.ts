/**
 * A shell that does what a test says: no process, and time only as the clock has it.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { SpawnError } from "@prodigy/core/agent/Processes"
import { type ShellOutcome, type ShellRequest, ShellRunner } from "@prodigy/core/agent/Shell"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ScriptedProgram from "./ScriptedProgram.ts"

/**
 * What scripts do when they are run: see `ScriptedProgram.Script`. A handler in the manner of `layer` is one too.
 *
 * @since 0.1.0
 * @category models
 */
export type Script = ScriptedProgram.Script<ShellRequest, ShellOutcome>

/**
 * What a script does before it ends.
 *
 * @since 0.1.0
 * @category models
 */
export interface Deeds extends ScriptedProgram.Deeds<ShellRequest> {
  /** Its standard output, with its line breaks. */
  readonly prints?: string
}

type Play = ScriptedProgram.Play<ShellRequest, ShellOutcome>

// -----------------------------------------------------------------------------
// plays
// -----------------------------------------------------------------------------

/**
 * The script works.
 *
 * @since 0.1.0
 * @category plays
 */
export const succeeds = (deeds: Deeds = {}): Play =>
  ScriptedProgram.answers(deeds, () => ({ stdout: deeds.prints ?? "" }))

/**
 * The script exits with a code other than 0, with `message` on standard error.
 *
 * @since 0.1.0
 * @category plays
 */
export const fails = (message: string, deeds: Deeds & { readonly exitCode?: number } = {}): Play => {
  const { exitCode = 1, prints: stdout = "" } = deeds
  const stderr = `${message}\n`
  return ScriptedProgram.answers(deeds, () => ({ exitCode, stdout, stderr, tail: stdout + stderr }))
}

/**
 * The script's process is killed by a signal, such as `SIGKILL` for want of memory.
 *
 * @since 0.1.0
 * @category plays
 */
export const killed = (signal: "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGSEGV" = "SIGKILL", deeds: Deeds = {}): Play =>
  ScriptedProgram.answers(deeds, () => ({ signal, exitCode: 128 + signals[signal], stdout: deeds.prints ?? "" }))

/** POSIX, as far as they are the same everywhere. */
const signals = { SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 } as const

/**
 * The script never ends: its step's time limit, the item's, or an interruption ends it.
 *
 * @since 0.1.0
 * @category plays
 */
export const hangs = (deeds: Omit<Deeds, "takes" | "commits"> = {}): Play =>
  ScriptedProgram.hangs(deeds, { stdout: deeds.prints ?? "" })

/**
 * The machine is switched off, and with it Prodigy, before the script ends.
 *
 * @since 0.1.0
 * @category plays
 */
export const crashes = (deeds: ScriptedProgram.Deeds<ShellRequest> = {}): Play => ScriptedProgram.crashes(deeds)

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
 * Chooses by the step: by its id, or by its name or a part of it (`npm test` is in `shell: npm test`; the command that lists the
 * items is `input`). The first that fits.
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
 * Every script is run by `handler`. What it leaves out of an outcome is that of a script that worked in silence.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  handler: (request: ShellRequest) => Effect.Effect<Partial<ShellOutcome>, SpawnError>
): Layer.Layer<ShellRunner> =>
  Layer.succeed(ShellRunner, {
    run: (request) =>
      Effect.map(handler(request), outcome).pipe(
        Effect.tap(({ stdout }) => request.onStdout?.(new TextEncoder().encode(stdout)) ?? Effect.void)
      )
  })

/**
 * Scripts do what `script` says, in directories of the `FileSystem` that is given: the real one, or a simulated one.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerScript = (
  script: Script,
  options: { readonly seed?: number } = {}
): Layer.Layer<ShellRunner, never, FileSystem.FileSystem> =>
  Layer.unwrapEffect(
    Effect.map(FileSystem.FileSystem, (files) => {
      const stage = ScriptedProgram.stageOf(files, { program: "shell", seed: options.seed ?? 1 })
      return layer((request) => run(script, request, stage, "shell"))
    })
  )

/**
 * Answers a request by a script.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (
  script: Script,
  request: ShellRequest,
  stage: ScriptedProgram.Stage,
  place: string
): Effect.Effect<Partial<ShellOutcome>, SpawnError> =>
  ScriptedProgram.play(script, request, stage, {
    program: "shell",
    place,
    timedOut: { timedOut: true, signal: "SIGINT", exitCode: 130 }
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const outcome = (facts: Partial<ShellOutcome>): ShellOutcome => ({
  exitCode: 0,
  signal: null,
  timedOut: false,
  stdout: "",
  stderr: "",
  truncated: { stdout: false, stderr: false },
  tail: facts.stdout ?? "",
  durationMillis: 0,
  ...facts
})
