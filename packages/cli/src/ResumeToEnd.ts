/**
 * Going on with a session, as the commands that do so share it.
 *
 * @since 0.1.0
 */
import * as Path from "@effect/platform/Path"
import * as Digest from "@prodigy/core/domain/Digest"
import { Resume, type SeveralToResume, type Target } from "@prodigy/core/engine/Resume"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { approval, project } from "./commands/flags.ts"
import { changed, warned } from "./Render/Failure.ts"
import { resumable } from "./Render/Sessions.ts"
import * as RunToEnd from "./RunToEnd.ts"
import { Screen } from "./Screen.ts"
import { UsageError } from "./UsageError.ts"
import { readWorkflow } from "./WorkflowUnreadable.ts"

/**
 * What the commands are given.
 *
 * @since 0.1.0
 * @category models
 */
export interface Given {
  /** Null: the only one of the repository that can be resumed. */
  readonly id: string | null
  /** A workflow file that the session has to be of; null: any. */
  readonly file?: string | null | undefined
  readonly path: string
  readonly yes: boolean
  readonly force: boolean
  /** The checkpoint to start from; null: the newest valid one. */
  readonly fromCheckpoint: string | null
  readonly useCurrent: boolean
  readonly retryFailed: boolean
  readonly noWait: boolean
  readonly maxRetries: number | null
  readonly json: boolean
  readonly allowFailed: boolean
}

/**
 * Finds what is meant and watches it to its end. That there is nothing to go on with is said and is no error; when
 * several are meant, they are listed, each with its command.
 *
 * @since 0.1.0
 * @category running
 */
export const watch = Effect.fnUntraced(function* (given: Given) {
  const screen = yield* Screen
  const resume = yield* Resume
  const projectPath = yield* project(given.path)
  const said = (error: { readonly message: string }) => screen.note(error.message)
  yield* resume.find({ projectPath, id: given.id }).pipe(
    Effect.tapErrorTag("SeveralToResume", (error) => showAll(projectPath, error)),
    Effect.tap((target) => (given.file == null ? Effect.void : checkFile(given.file, target))),
    Effect.tap(({ listed, workflow }) =>
      workflow.now === "changed" && !given.useCurrent && listed?.shown !== "Completed"
        ? screen.note(changed(workflow.path, screen.noteStyle))
        : Effect.void
    ),
    Effect.flatMap((target) =>
      RunToEnd.watch(
        resume.goOn(target, {
          force: given.force,
          approve: approval(given.yes, screen.canAsk),
          fromCheckpoint: given.fromCheckpoint,
          useCurrent: given.useCurrent,
          retryFailed: given.retryFailed,
          waitsForQuota: !given.noWait,
          maxRetries: given.maxRetries
        }),
        given
      )
    ),
    Effect.catchTags({ AlreadyCompleted: said, NothingToResume: said })
  )
})

/** A session goes on with its own workflow: another file is a mistake. One that was moved, unchanged, is the same. */
const checkFile = Effect.fnUntraced(function* (file: string, { sessionId, workflow }: Target) {
  const paths = yield* Path.Path
  if (paths.resolve(file) === workflow.file) return
  if (Digest.sha256(yield* readWorkflow(file)) === workflow.sha256) return
  return yield* new UsageError({
    what: `${file} is not the workflow of ${sessionId}, which was started from ${workflow.path}.`,
    suggestions: [],
    command: "prodigy run"
  })
})

const showAll = Effect.fnUntraced(function* (projectPath: string, error: SeveralToResume) {
  const screen = yield* Screen
  const { damaged, lost, sessions } = yield* Effect.flatMap(Resume, (resume) => resume.list({ projectPath }))
  yield* Effect.forEach(damaged, (file) => screen.note(warned(file, screen.noteStyle)))
  const named = new Set(error.sessions)
  const nowMillis = yield* Clock.currentTimeMillis
  const shown = sessions.filter(({ session }) => named.has(session.id))
  yield* screen.note(resumable(shown, lost, { nowMillis, style: screen.noteStyle }))
})
