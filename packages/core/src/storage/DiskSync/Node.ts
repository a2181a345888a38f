/**
 * Whole file systems are synced by the program `sync`: Node has no `syncfs`. With `-f` (GNU, BusyBox) it syncs those of the
 * paths and reports what the disk could not take; where it knows no such option it syncs all of them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFile, type ExecFileException } from "node:child_process"
import { StorageError } from "../AtomicFile.ts"
import { DiskSync } from "../DiskSync.ts"

interface Failed {
  readonly error: ExecFileException
  readonly stderr: string
}

const run = (program: string, args: ReadonlyArray<string>): Effect.Effect<void, Failed> =>
  Effect.async((resume, signal) => {
    execFile(program, [...args], { signal, env: { ...process.env, LC_ALL: "C" } }, (error, _, stderr) =>
      resume(error === null ? Effect.void : Effect.fail({ error, stderr }))
    )
  })

const isMissing = ({ error }: Failed): boolean => error.code === "ENOENT"

/** What says that the option is not known, and not that a disk had trouble. */
const isUnknownOption = ({ stderr }: Failed): boolean =>
  /(?:invalid|illegal|unrecognized|unknown) option|^usage:/im.test(stderr)

/**
 * By the program of that name.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (program: string): Layer.Layer<DiskSync> =>
  Layer.sync(DiskSync, () => {
    let how: "each" | "all" | "none" = "each"
    const warn = Effect.logWarning(
      `There is no program ${program}: a power cut may take what a step has written shortly before.`
    )
    const flush = (paths: ReadonlyArray<string>): Effect.Effect<void, StorageError> =>
      Effect.suspend(() => {
        if (how === "none") return Effect.void
        return Effect.catchAll(run(program, how === "each" ? ["-f", ...paths] : []), (failed) => {
          if (isMissing(failed)) {
            how = "none"
            return warn
          }
          if (how === "each" && isUnknownOption(failed)) {
            how = "all"
            return flush(paths)
          }
          const detail = failed.stderr.trim() || failed.error.message
          const reason = /no space left|quota exceeded/i.test(detail) ? "no_space" : "io"
          return new StorageError({ operation: "sync", path: paths.join(", "), reason, detail })
        })
      })
    return { flush }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DiskSync> = layerOf("sync")
