/**
 * `worktrees/{repo}/.metadata/{name}.json`: what a worktree is for, so that a listing needs no guess.
 *
 * Owns the format. Crash guarantee: a reader never sees half a record. The parent's record is durable, as resuming reads
 * it. An agent's is replaced twice for every item and is not synced: after a power loss it may tell of the attempt
 * before. Nothing is decided by it that the journal decides; its use after a crash is to name what is rescued from the
 * worktree, and the branch that is checked out there names the agent and the attempt as well.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as PlatformError from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { AgentId } from "../domain/AgentId.ts"
import { JobId } from "../domain/JobId.ts"
import { SessionId } from "../domain/SessionId.ts"
import { ItemId } from "../domain/WorkItem.ts"
import { AtomicFile, type StorageError } from "../storage/AtomicFile.ts"
import * as StoredJson from "../storage/StoredJson.ts"

const shared = { v: Schema.Literal(1), path: Schema.String, branch: Schema.String, base: Schema.String }

/**
 * The worktree of one attempt. `idle`: given back, waiting for the next item.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AgentRecord = Schema.Struct({
  role: Schema.tag("agent"),
  ...shared,
  job: JobId,
  status: Schema.Literal("running", "idle", "kept"),
  item: ItemId,
  item_index: Schema.NonNegativeInt,
  agent: AgentId,
  attempt: Schema.Int
})

/**
 * @since 0.1.0
 * @category models
 */
export interface AgentRecord extends Schema.Schema.Type<typeof AgentRecord> {}

/**
 * The session's worktree.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ParentRecord = Schema.Struct({
  role: Schema.tag("parent"),
  ...shared,
  job: Schema.NullOr(JobId).annotations({ description: "null: the session of a standard workflow" }),
  session: SessionId,
  status: Schema.Literal("open", "kept"),
  synced: Schema.String.annotations({ description: "commit whose files the worktree has, apart from leftovers" }),
  setup: Schema.NullOr(Schema.String).annotations({
    description: "commit with what setup left uncommitted; null before setup has ended and when it left nothing"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface ParentRecord extends Schema.Schema.Type<typeof ParentRecord> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const WorktreeRecord = Schema.Union(AgentRecord, ParentRecord)

/**
 * @since 0.1.0
 * @category models
 */
export type WorktreeRecord = typeof WorktreeRecord.Type

const Text = Schema.parseJson(WorktreeRecord, { space: 2 })

const toText = (record: WorktreeRecord): string => StoredJson.seal(`${JSON.stringify(record, null, 2)}\n`)

/**
 * The record at a path; null when there is none, or not one that is as it was written.
 *
 * @since 0.1.0
 * @category getters
 */
export const read = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<WorktreeRecord | null, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const text = yield* Effect.option(fs.readFileString(path))
  return Option.getOrNull(text.pipe(Option.filter(StoredJson.isSealed), Option.flatMap(Schema.decodeOption(Text))))
})

/**
 * Replaces the parent's record, durably.
 *
 * @since 0.1.0
 * @category combinators
 */
export const writeDurably = Effect.fnUntraced(function* (
  path: string,
  record: ParentRecord
): Effect.fn.Return<void, StorageError, AtomicFile> {
  const file = yield* AtomicFile
  yield* file.replace(path, toText(record))
})

/**
 * Replaces an agent's record without waiting for the disk.
 *
 * @since 0.1.0
 * @category combinators
 */
export const write = Effect.fnUntraced(function* (
  path: string,
  record: AgentRecord
): Effect.fn.Return<void, PlatformError.PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(`${path}.tmp`, toText(record), { mode: 0o600 })
  yield* fs.rename(`${path}.tmp`, path)
})
