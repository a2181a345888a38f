/**
 * Flags that several commands take.
 *
 * @since 0.1.0
 */
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Flag from "../Flag.ts"

/**
 * @since 0.1.0
 * @category flags
 */
export const path = Flag.value("path", {
  alias: "p",
  value: "DIR",
  description: "Work in this directory's repository",
  read: Flag.text,
  otherwise: "."
})

/**
 * @since 0.1.0
 * @category flags
 */
export const json = Flag.on("json", { description: "Print JSON" })

/**
 * @since 0.1.0
 * @category flags
 */
export const limit = (otherwise: number) =>
  Flag.value("limit", {
    value: "N",
    description: `Show at most N (${otherwise})`,
    read: Flag.integer(1, 1_000_000),
    otherwise
  })

/**
 * The absolute path of a project.
 *
 * @since 0.1.0
 * @category flags
 */
export const project = (directory: string): Effect.Effect<string, never, Path.Path> =>
  Effect.map(Path.Path, (paths) => paths.resolve(directory))

/**
 * @since 0.1.0
 * @category flags
 */
export const yes = Flag.on("yes", { alias: "y", description: "Merge into the target branch without asking" })

/**
 * @since 0.1.0
 * @category flags
 */
export const allowFailed = Flag.on("allow-failed", {
  description: "Exit with 0 although items are in the dead letter queue"
})

const force = Flag.on("force", { description: "Take the job although another process seems to hold it" })

const fromCheckpoint = Flag.value("from-checkpoint", {
  value: "C",
  description: "Start from this checkpoint: its id, the beginning of it, or its file",
  read: Flag.text,
  otherwise: null
})

const useCurrent = Flag.on("use-current", {
  description: "Use the workflow file as it is now, if it changes nothing done"
})

const retryFailed = Flag.on("retry-failed", {
  description: "Try the items in the dead letter queue again, of a completed job too"
})

const maxRetries = Flag.value("max-retries", {
  value: "N",
  description: "Retries of an item that fails, instead of what the workflow says",
  read: Flag.integer(0, 1000),
  otherwise: null
})

/**
 * @since 0.1.0
 * @category flags
 */
export const noWait = Flag.on("no-wait", { description: "Pause instead of waiting when a quota is used up" })

/**
 * What a session may be gone on with.
 *
 * @since 0.1.0
 * @category flags
 */
export const resume = {
  yes,
  force,
  fromCheckpoint,
  retryFailed,
  maxRetries,
  useCurrent,
  noWait,
  path,
  json,
  allowFailed
}

/**
 * How the final merge is approved: on a word given before, by asking, or not at all.
 *
 * @since 0.1.0
 * @category flags
 */
export const approval = (yes: boolean, canAsk: boolean): "yes" | "ask" | "not_asked" =>
  yes ? "yes" : canAsk ? "ask" : "not_asked"
