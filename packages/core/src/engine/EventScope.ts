/**
 * Whose events are meant: one job, those of a repository, or all.
 *
 * Owns how jobs are found that only their events are left of. Reads only.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import type { StorageError } from "../storage/AtomicFile.ts"
import type { EventLog } from "../storage/EventLog.ts"
import type { ProdigyHome } from "../storage/ProdigyHome.ts"
import { AmbiguousId, type Inspect, type InspectError, latest } from "./Inspect.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type Scope =
  /** One job, by an id as `Inspect` takes them. */
  | { readonly _tag: "Job"; readonly projectPath: string; readonly id: string }
  /** All jobs of the repository around `projectPath`. */
  | { readonly _tag: "Repository"; readonly projectPath: string }
  /** All jobs of all repositories. */
  | { readonly _tag: "Everything" }

/**
 * A job with events.
 *
 * @since 0.1.0
 * @category models
 */
export interface Job {
  readonly repo: RepoName
  readonly jobId: JobId
}

/**
 * The jobs of a scope, by repository, the oldest first. One job is given whether or not it has events.
 *
 * @since 0.1.0
 * @category accessors
 */
export const jobs =
  (from: { readonly inspect: Inspect["Type"]; readonly home: ProdigyHome["Type"]; readonly log: EventLog["Type"] }) =>
  (scope: Scope): Effect.Effect<ReadonlyArray<Job>, InspectError> =>
    Effect.gen(function* () {
      const { home, inspect, log } = from
      const jobsOf = (repos: ReadonlyArray<RepoName>): Effect.Effect<ReadonlyArray<Job>, StorageError> =>
        Effect.map(
          Effect.forEach(repos, (repo) => Effect.map(log.jobs(repo), (ids) => ids.map((jobId) => ({ repo, jobId })))),
          (found) => found.flat()
        )
      switch (scope._tag) {
        case "Everything":
          return yield* jobsOf(yield* home.repoNames)
        case "Repository": {
          const repo = yield* inspect.repository(scope)
          return repo === null ? [] : yield* jobsOf([repo])
        }
        case "Job":
          return yield* inspect.job(scope).pipe(
            Effect.map(({ jobId, repo }) => [{ repo, jobId }]),
            // Events outlive the session that they tell of.
            Effect.catchTag("IdNotFound", (error) =>
              Effect.gen(function* () {
                if (scope.id === latest) {
                  const repo = yield* inspect.repository(scope)
                  const newest = repo === null ? undefined : (yield* jobsOf([repo])).at(-1)
                  return newest === undefined ? yield* error : [newest]
                }
                const all = yield* jobsOf(yield* home.repoNames)
                const exact = all.filter(({ jobId }) => jobId === scope.id)
                const isWhole = exact.length > 0 || SessionIds.isWhole(scope.id)
                const found = isWhole ? exact : all.filter(({ jobId }) => jobId.startsWith(scope.id))
                if (found.length === 0) return yield* error
                if (found.length === 1) return found
                return yield* new AmbiguousId({
                  text: scope.id,
                  candidates: found.slice(0, candidatesMax).map(({ jobId }) => jobId)
                })
              })
            )
          )
      }
    })

/** Most candidates that an ambiguous id lists. */
const candidatesMax = 10
