/**
 * The storage as a whole: is it healthy, and how big is it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StorageError } from "./AtomicFile.ts"

/**
 * The components of the storage, as the directories are called.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Component = Schema.Literal("events", "dlq", "state", "worktrees", "sessions", "resume_locks", "logs")

/**
 * @since 0.1.0
 * @category models
 */
export type Component = typeof Component.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Finding = Schema.Struct({
  check: Schema.String,
  status: Schema.Literal("ok", "warning", "error"),
  detail: Schema.String,
  advice: Schema.NullOr(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Finding extends Schema.Schema.Type<typeof Finding> {}

/**
 * Bytes on disk and files of one component, of one repository (null: not kept by repository).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Size = Schema.Struct({
  component: Component,
  repo: Schema.NullOr(Schema.String),
  bytes: Schema.Number,
  files: Schema.Number
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Size extends Schema.Schema.Type<typeof Size> {}

/**
 * @since 0.1.0
 * @category services
 */
export class GlobalStorage extends Context.Tag("@prodigy/core/storage/GlobalStorage")<
  GlobalStorage,
  {
    /** Makes the root (0700) and proves that it can be written, durably. */
    readonly prepare: Effect.Effect<void, StorageError>
    /** Looks at everything, repairs nothing. */
    readonly healthCheck: Effect.Effect<ReadonlyArray<Finding>, StorageError>
    readonly sizes: Effect.Effect<ReadonlyArray<Size>, StorageError>
  }
>() {}
