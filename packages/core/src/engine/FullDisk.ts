/**
 * Whose failure it is when a disk is full: nobody's own.
 *
 * Owns the rule. A step, an agent or git that meets a full disk fails in a way of its own, with an exit code that says
 * nothing. So after a failure the disks that the work stands on are looked at; when one of them has next to no room left,
 * the failure is `ResourceExhausted`, whatever it looked like. See decision 22.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Failure } from "../domain/Failure.ts"
import * as Limits from "../domain/Limits.ts"
import { StorageError } from "../storage/AtomicFile.ts"
import { DiskSpace } from "../storage/DiskSpace.ts"
import type { RunTranscripts } from "../storage/TranscriptStore.ts"
import type { Checkout, WorkspaceError } from "../workspace/Workspace.ts"

/** A disk without room: a path on it, and the bytes left. */
interface Full {
  readonly path: string
  readonly free: number
}

/**
 * Paths on the disks that steps in a checkout write to: the checkout's, the repository's and that of the transcripts,
 * which is the storage's.
 *
 * @since 0.1.0
 * @category constructors
 */
export const disksOf = (
  job: { readonly repository: { readonly path: string } },
  checkout: Pick<Checkout, "path">,
  transcripts: Pick<RunTranscripts, "directory">
): ReadonlyArray<string> => [checkout.path, job.repository.path, transcripts.directory]

/** The first of these disks that has less than `Limits.FullDiskBytes` left, if any. */
const find = Effect.fnUntraced(function* (
  paths: ReadonlyArray<string>
): Effect.fn.Return<Full | undefined, never, DiskSpace> {
  const disk = yield* DiskSpace
  const min = yield* Limits.FullDiskBytes
  for (const path of paths) {
    const free = yield* disk.free(path)
    if (free !== null && free < min) return { path, free }
  }
  return undefined
})

/** Leaves alone what is known for certain: a quota, a conflict, and what would fail the same way on any disk. */
const judge = Effect.fnUntraced(function* (
  failure: Failure,
  paths: ReadonlyArray<string>
): Effect.fn.Return<Failure, never, DiskSpace> {
  if (certain.has(failure.cause.error_type) || failure.nature === "lasting") return failure
  const full = yield* find(paths)
  if (full === undefined) return failure
  const { nature: _nature, ...rest } = failure
  const message = `The disk of ${full.path} is full (${left(full.free)}): ${failure.message}`
  return { ...rest, cause: { error_type: "ResourceExhausted" }, message }
})

/** The error of a full disk instead of git's. */
const explain = Effect.fnUntraced(function* (
  error: WorkspaceError,
  paths: ReadonlyArray<string>
): Effect.fn.Return<WorkspaceError | StorageError, never, DiskSpace> {
  const full = error.reason === "command_failed" ? yield* find(paths) : undefined
  if (full === undefined) return error
  const detail = `the disk is full (${left(full.free)}). ${error.detail}`
  return new StorageError({ operation: `${error.operation} in`, path: full.path, reason: "no_space", detail })
})

/**
 * The rule, with the disks of the context that this is made in.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<
  {
    /** The failure as it is to be told: as it was, or that of a full disk. */
    readonly judge: (failure: Failure, paths: ReadonlyArray<string>) => Effect.Effect<Failure>
    /** As `judge`, for what keeps a run from going on at all. */
    readonly explained: (
      paths: ReadonlyArray<string>
    ) => <A, R>(self: Effect.Effect<A, WorkspaceError, R>) => Effect.Effect<A, WorkspaceError | StorageError, R>
  },
  never,
  DiskSpace
> = Effect.map(DiskSpace, (disk) => {
  const context = Context.make(DiskSpace, disk)
  return {
    judge: (failure, paths) => Effect.provide(judge(failure, paths), context),
    explained: (paths) => (self) =>
      Effect.catchAll(self, (error) => Effect.flatMap(Effect.provide(explain(error, paths), context), Effect.fail))
  }
})

const certain: ReadonlySet<Failure["cause"]["error_type"]> = new Set([
  "QuotaExceeded",
  "MergeConflict",
  "ResourceExhausted"
])

const left = (bytes: number): string =>
  bytes < 1024
    ? "nothing left"
    : bytes < 1024 ** 2
      ? `${Math.floor(bytes / 1024)} KiB left`
      : `${Math.floor(bytes / 1024 ** 2)} MiB left`
