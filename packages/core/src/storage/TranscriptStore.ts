/**
 * Transcripts: the output of every step, streamed to a file while it runs.
 *
 * Owns the names under `logs/{repo}/{ts}/`. The files are written by the process that runs the step, line by line, and
 * are not synced: a power cut may take their end. Every run has a directory of its own, claimed exclusively, so that two
 * runs never write to one file.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as JobId from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import { AtomicFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import { ProdigyHome } from "./ProdigyHome.ts"

type SessionId = SessionIds.SessionId

/**
 * The transcripts of one run.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunTranscripts {
  readonly directory: string
  /**
   * A path for one step's transcript: `{session}-{agent or phase}-{step}[-{attempt}][-try-{n}].{jsonl|log}`, never given
   * twice. `attempt` is the item's; `tryNumber` counts how often the step ran in it. Who writes there makes the directory
   * anew when it was removed meanwhile.
   */
  readonly path: (step: {
    readonly actor: string
    readonly step: string
    readonly attempt: number
    readonly tryNumber?: number | undefined
    readonly kind: "agent" | "shell"
  }) => Effect.Effect<string, StorageError>
}

/**
 * @since 0.1.0
 * @category services
 */
export class TranscriptStore extends Context.Tag("@prodigy/core/storage/TranscriptStore")<
  TranscriptStore,
  {
    /** Claims a directory for one run of a session; a resumed session gets another one. */
    readonly open: (repo: RepoName, sessionId: SessionId) => Effect.Effect<RunTranscripts, StorageError>
    /** The directories of a repository's runs, by their sessions. One that holds nothing is nobody's. */
    readonly directories: (repo: RepoName) => Effect.Effect<ReadonlyMap<SessionId, ReadonlyArray<string>>, StorageError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const home = yield* ProdigyHome

  /** `{stamp}`, or `{stamp}_2` and on when another run of the repository started in the same second. */
  const claim = Effect.fnUntraced(function* (repo: RepoName) {
    const stamp = JobId.stamp(yield* Clock.currentTimeMillis)
    for (let clash = 1; ; clash++) {
      const directory = `${home.repo(repo).logs}/${stamp}${clash > 1 ? `_${clash}` : ""}`
      if (yield* file.claimDirectory(directory)) return directory
    }
  })

  const directories = Effect.fn("TranscriptStore.directories")(function* (repo: RepoName) {
    const { logs } = home.repo(repo)
    const found = new Map<SessionId, Array<string>>()
    for (const name of yield* file.list(logs)) {
      const directory = `${logs}/${name}`
      // One run's, so that its first file tells.
      const [first = ""] = yield* file.list(directory)
      const sessionId = SessionIds.atStart(first)
      if (sessionId !== null) found.set(sessionId, [...(found.get(sessionId) ?? []), directory])
    }
    return found
  })

  return TranscriptStore.of({
    directories,
    open: Effect.fn("TranscriptStore.open")(function* (repo, sessionId): Effect.fn.Return<
      RunTranscripts,
      StorageError
    > {
      const directory = yield* claim(repo)
      const given = new Set<string>()
      return {
        directory,
        path: (step) =>
          Effect.sync(() => {
            const attempt = step.attempt > 1 ? `-${step.attempt}` : ""
            const tries = (step.tryNumber ?? 1) > 1 ? `-try-${step.tryNumber}` : ""
            const stem = `${readable(step.actor)}-${readable(step.step)}${attempt}${tries}`
            const name = unique(given, stem)
            return `${directory}/${sessionId}-${name}.${step.kind === "agent" ? "jsonl" : "log"}`
          })
      }
    })
  })
})

/** Characters of an actor's or a step's name that a file name takes over: with a session's id well under 255 bytes. */
const charsMax = 48

/**
 * A name that people recognise. It need not be reversible, and two names may become one: `unique` tells them apart.
 */
const readable = (text: string): string =>
  text
    .replaceAll(/[^A-Za-z0-9._]+/g, "-")
    .replace(/^[-.]+/, "")
    .slice(0, charsMax)
    .replace(/[-.]+$/, "") || "unnamed"

/** `~` is in no readable name, so a numbered name is never another step's. File systems may ignore case. */
const unique = (given: Set<string>, stem: string): string => {
  let name = stem
  for (let count = 2; given.has(name.toLowerCase()); count++) name = `${stem}~${count}`
  given.add(name.toLowerCase())
  return name
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TranscriptStore, never, AtomicFile | ProdigyHome> = Layer.effect(TranscriptStore, make)

/**
 * As `layer`, over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<TranscriptStore, never, ProdigyHome> = Layer.provide(layer, filesInMemory)
