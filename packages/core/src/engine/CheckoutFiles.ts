/**
 * Files that steps write into a checkout: never outside it, whatever a path says and wherever symlinks lead.
 *
 * Owns the check of paths and the formats of `write_file`. These files are work, not storage: git makes them durable.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { PlatformError } from "@effect/platform/Error"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Yaml from "yaml"
import { isExhausted, reasonOf } from "../storage/AtomicFile.ts"

/**
 * A file of a step cannot be written as asked.
 *
 * @since 0.1.0
 * @category errors
 */
export class CheckoutFileError extends Schema.TaggedError<CheckoutFileError>(
  "@prodigy/core/engine/CheckoutFiles/CheckoutFileError"
)("CheckoutFileError", {
  path: Schema.String,
  reason: Schema.Literal("outside", "no_directory", "not_a_directory", "format", "exhausted", "io"),
  detail: Schema.String
}) {
  override get message() {
    return `Could not write or enter ${JSON.stringify(this.path)}: ${this.detail}`
  }
}

/**
 * A private file that takes what comes piece by piece, until it is known whether a checkout gets it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spool {
  readonly path: string
  /** Appends. Never fails: what could not be written is told by `written`. */
  readonly add: (bytes: Uint8Array) => Effect.Effect<void>
  /** Fails when something of it is missing. */
  readonly written: Effect.Effect<void, CheckoutFileError>
}

/**
 * @since 0.1.0
 * @category services
 */
export class CheckoutFiles extends Context.Tag("@prodigy/core/engine/CheckoutFiles")<
  CheckoutFiles,
  {
    /**
     * Writes a text, or all that a spool took, to a file inside `root`. Fails with reason `outside` when path or a symlink
     * on it leads out, or into `.git`.
     */
    readonly write: (options: {
      readonly root: string
      readonly path: string
      readonly content: string | Spool
      readonly mode: number
      readonly createDirs: boolean
    }) => Effect.Effect<void, CheckoutFileError>

    /** The absolute path of an existing directory inside `root`. */
    readonly directory: (options: {
      readonly root: string
      readonly path: string
    }) => Effect.Effect<string, CheckoutFileError>

    /** A text in the format of a `write_file` step: JSON and YAML are checked and laid out. */
    readonly format: (text: string, format: "text" | "json" | "yaml") => Effect.Effect<string, CheckoutFileError>

    /** Writes values that are too large for the environment to private files, gone with the scope; gives name to path. */
    readonly spill: (
      values: Readonly<Record<string, string>>
    ) => Effect.Effect<Readonly<Record<string, string>>, CheckoutFileError, Scope.Scope>

    /** Makes a spool at `path`, with its directories; gone with the scope. */
    readonly spool: (path: string) => Effect.Effect<Spool, CheckoutFileError, Scope.Scope>

    /** The text of a file, or null when there is none. */
    readonly readText: (path: string) => Effect.Effect<string | null, CheckoutFileError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path

  const io = (asked: string) => (error: PlatformError) =>
    new CheckoutFileError({
      path: asked,
      reason: isExhausted(reasonOf(error)) ? "exhausted" : "io",
      detail: error.message
    })

  /** The deepest existing ancestor of a path, resolved, and what is left of the path below it. */
  const resolve = Effect.fnUntraced(function* (root: string, asked: string) {
    const outside = (detail: string) => new CheckoutFileError({ path: asked, reason: "outside", detail })
    if (asked.includes("\0")) return yield* outside("a path cannot hold a NUL character.")
    const top = yield* Effect.mapError(fs.realPath(root), io(asked))
    const wanted = path.resolve(top, asked)
    let existing = wanted
    const rest: Array<string> = []
    for (;;) {
      const real = yield* Effect.option(fs.realPath(existing))
      if (real._tag === "Some") {
        existing = real.value
        break
      }
      // A dangling symlink is no missing file: writing through it would land where it points.
      const link = yield* Effect.option(fs.readLink(existing))
      if (link._tag === "Some") return yield* outside("a symlink on the way leads nowhere.")
      rest.unshift(path.basename(existing))
      existing = path.dirname(existing)
    }
    const final = path.join(existing, ...rest)
    const relative = path.relative(top, final)
    if (relative === ".." || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative)) {
      return yield* outside("it leads out of the worktree.")
    }
    if (relative === ".git" || relative.startsWith(`.git${path.sep}`)) {
      return yield* outside("git's own files are not for steps to write.")
    }
    return final
  })

  return CheckoutFiles.of({
    write: Effect.fn("CheckoutFiles.write")(function* (options) {
      const target = yield* resolve(options.root, options.path)
      const parent = path.dirname(target)
      if (options.createDirs) {
        yield* Effect.mapError(fs.makeDirectory(parent, { recursive: true }), io(options.path))
      } else if (!(yield* Effect.mapError(fs.exists(parent), io(options.path)))) {
        return yield* new CheckoutFileError({
          path: options.path,
          reason: "no_directory",
          detail: "its directory does not exist; create_dirs: true makes it."
        })
      }
      yield* typeof options.content === "string"
        ? Effect.mapError(fs.writeFileString(target, options.content), io(options.path))
        : Effect.zipRight(
            options.content.written,
            Effect.mapError(fs.copyFile(options.content.path, target), io(options.path))
          )
      yield* Effect.mapError(fs.chmod(target, options.mode), io(options.path))
    }),

    directory: Effect.fn("CheckoutFiles.directory")(function* (options) {
      const target = yield* resolve(options.root, options.path)
      const info = yield* Effect.option(fs.stat(target))
      if (info._tag === "None" || info.value.type !== "Directory") {
        return yield* new CheckoutFileError({
          path: options.path,
          reason: "not_a_directory",
          detail: "there is no such directory in the worktree."
        })
      }
      return target
    }),

    format: (text, format) => {
      switch (format) {
        case "text":
          return Effect.succeed(text)
        case "json":
          return Effect.try({
            try: () => `${JSON.stringify(JSON.parse(text), null, 2)}\n`,
            catch: (error) => new CheckoutFileError({ path: "content", reason: "format", detail: `not JSON: ${error}` })
          })
        case "yaml":
          return Effect.try({
            // A document keeps comments and order; only its layout is made regular.
            try: () => {
              const document = Yaml.parseDocument(text)
              if (document.errors[0] !== undefined) throw document.errors[0]
              return document.toString()
            },
            catch: (error) => new CheckoutFileError({ path: "content", reason: "format", detail: `not YAML: ${error}` })
          })
      }
    },

    spill: Effect.fnUntraced(function* (values) {
      const names = Object.keys(values)
      if (names.length === 0) return {}
      const asked = "a file for large values"
      const directory = yield* Effect.mapError(fs.makeTempDirectoryScoped({ prefix: "prodigy-values-" }), io(asked))
      const paths: Record<string, string> = {}
      for (const name of names) {
        const file = path.join(directory, name)
        yield* Effect.mapError(fs.writeFileString(file, values[name]!, { mode: 0o600 }), io(asked))
        paths[name] = file
      }
      return paths
    }),

    spool: Effect.fnUntraced(function* (file) {
      const failed = io("a file for output")
      yield* Effect.mapError(fs.makeDirectory(path.dirname(file), { recursive: true, mode: 0o700 }), failed)
      // Removed when it is closed already.
      yield* Effect.addFinalizer(() =>
        Effect.catchAll(fs.remove(file, { force: true }), (cause) =>
          Effect.logWarning("A file of output stays behind", { file, cause })
        )
      )
      const open = yield* Effect.mapError(fs.open(file, { flag: "w", mode: 0o600 }), failed)
      let missing: CheckoutFileError | null = null
      return {
        path: file,
        add: (bytes) =>
          Effect.suspend(() =>
            missing === null
              ? Effect.catchAll(open.writeAll(bytes), (cause) => Effect.sync(() => void (missing = failed(cause))))
              : Effect.void
          ),
        written: Effect.suspend(() => (missing === null ? Effect.void : Effect.fail(missing)))
      }
    }),

    readText: Effect.fnUntraced(function* (file) {
      const info = yield* Effect.option(fs.stat(file))
      if (info._tag === "None" || info.value.type !== "File") return null
      return yield* Effect.mapError(fs.readFileString(file), io(file))
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CheckoutFiles, never, FileSystem.FileSystem | Path.Path> = Layer.effect(
  CheckoutFiles,
  make
)
