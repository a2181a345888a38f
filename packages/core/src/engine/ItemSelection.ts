/**
 * Finds a job's input and selects its items.
 *
 * Owns where an input is looked for: in the worktree first, then (for a file that is not under version control) in the
 * user's checkout, which is only read. The selection itself is `WorkItems`.
 *
 * @since 0.1.0
 */
import * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ShellRunner } from "../agent/Shell.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import * as ShellText from "../workflow/ShellText.ts"
import * as Template from "../workflow/Template.ts"
import type * as Variables from "../workflow/Variables.ts"
import type { Selection } from "../workflow/Workflow.ts"
import * as WorkItems from "../workflow/WorkItems.ts"
import { CheckoutFiles } from "./CheckoutFiles.ts"
import * as StepFailure from "./StepFailure.ts"

/**
 * Where to look and how to run a command that lists items.
 *
 * @since 0.1.0
 * @category models
 */
export interface SelectionContext {
  /** Directories in which a relative path is looked for, first first. */
  readonly directories: readonly [string, ...Array<string>]
  readonly scope: Variables.Scope
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMillis: number | null
  /** Transcript of the command. */
  readonly log: Effect.Effect<string, WorkItems.WorkItemsError>
}

/**
 * @since 0.1.0
 * @category services
 */
export class ItemSelection extends Context.Tag("@prodigy/core/engine/ItemSelection")<
  ItemSelection,
  {
    /** Selects the items, running the input's command where it is one. */
    readonly select: (
      selection: Selection,
      context: SelectionContext
    ) => Effect.Effect<ReadonlyArray<WorkItem>, WorkItems.WorkItemsError>

    /** Selects the items when that takes no command; null when it would. */
    readonly peek: (
      selection: Selection,
      directory: string,
      scope: Variables.Scope
    ) => Effect.Effect<ReadonlyArray<WorkItem> | null, WorkItems.WorkItemsError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const shell = yield* ShellRunner
  const files = yield* CheckoutFiles
  const paths = yield* Path.Path

  const inputError =
    (where: string, reason: WorkItems.WorkItemsError["reason"]) => (error: { readonly message: string }) =>
      new WorkItems.WorkItemsError({ option: "input", reason, where, detail: error.message })

  const missing = (text: string) =>
    Effect.fail(
      new WorkItems.WorkItemsError({
        option: "input",
        reason: "not_found",
        where: text,
        detail: `there is no file ${text} in the worktree or the project.`
      })
    )

  /** The file that an input text names, read, or null when there is none. */
  const readFile = Effect.fnUntraced(function* (
    text: string,
    selection: Selection,
    directories: ReadonlyArray<string>
  ) {
    // A text with a line break or an absurd length is a command; asking the file system would only fail.
    if (text.includes("\n") || text.includes("\0") || text.length > 1024) return null
    for (const directory of directories) {
      const file = paths.resolve(directory, text)
      const content = yield* Effect.mapError(files.readText(file), inputError(file, "not_found"))
      if (content === null) continue
      return yield* WorkItems.decode(content, selection.input_format ?? WorkItems.formatOf(file), text)
    }
    return null
  })

  const runCommand = Effect.fnUntraced(function* (command: string, selection: Selection, context: SelectionContext) {
    const failed = inputError(command, "command_failed")
    const text = yield* Effect.mapError(ShellText.render(command, context.scope), failed)
    const log = yield* context.log
    const outcome = yield* Effect.scoped(
      Effect.flatMap(Effect.mapError(files.spill(text.files), failed), (large) =>
        Effect.mapError(
          shell.run({
            origin: { phase: "input", step: "input", item: null, attempt: 1, tryNumber: 1 },
            script: text.script,
            interpreter: null,
            cwd: context.directories[0],
            env: { ...context.env, ...text.env, ...large },
            timeoutMillis: context.timeoutMillis,
            log
          }),
          failed
        )
      )
    )
    const failure = StepFailure.fromShell(outcome, command, context.timeoutMillis, log)
    if (failure !== undefined) return yield* failed(failure)
    if (outcome.truncated.stdout)
      return yield* failed({ message: "the command prints more than fits in memory; use a file." })
    return yield* WorkItems.decode(outcome.stdout, selection.input_format ?? guess(outcome.stdout), command)
  })

  const load = Effect.fnUntraced(function* (selection: Selection, context: SelectionContext) {
    const { source } = selection
    switch (source.kind) {
      case "items":
        return source.items
      case "command":
        return yield* runCommand(source.command, selection, context)
      case "path_or_command": {
        const text = yield* Effect.mapError(
          Template.render(source.text, context.scope),
          inputError(source.text, "syntax")
        ).pipe(Effect.option)
        const found = text._tag === "Some" ? yield* readFile(text.value.trim(), selection, context.directories) : null
        if (found !== null) return found
        if (looksLikePath(source.text)) {
          return yield* inputError(
            source.text,
            "not_found"
          )({
            message: `there is no file ${source.text} in the worktree or the project.`
          })
        }
        return yield* runCommand(source.text, selection, context)
      }
    }
  })

  return ItemSelection.of({
    select: Effect.fn("ItemSelection.select")(function* (selection, context) {
      return yield* WorkItems.select(yield* load(selection, context), selection)
    }),

    peek: Effect.fn("ItemSelection.peek")(function* (selection, directory, scope) {
      const { source } = selection
      if (source.kind === "command") return null
      if (source.kind === "items") return yield* WorkItems.select(source.items, selection)
      const text = yield* Effect.option(Template.render(source.text, scope))
      const input = text._tag === "Some" ? yield* readFile(text.value.trim(), selection, [directory]) : null
      if (input === null) return looksLikePath(source.text) ? yield* missing(source.text) : null
      return yield* WorkItems.select(input, selection)
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ItemSelection, never, ShellRunner | CheckoutFiles | Path.Path> = Layer.effect(
  ItemSelection,
  make
)

/** A text that is plainly meant as a file: one word that ends like one. */
const looksLikePath = (text: string): boolean => /^\S+\.(json|jsonl|ndjson|ya?ml|csv|txt)$/i.test(text.trim())

/** A command's output is JSON when it begins like it; else its lines are the items. */
const guess = (text: string): "json" | "jsonl" | "lines" => {
  const start = text.trimStart()
  if (start.startsWith("[")) return "json"
  if (!start.startsWith("{")) return "lines"
  try {
    JSON.parse(text)
    return "json"
  } catch {
    return "jsonl"
  }
}
