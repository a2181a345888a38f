/**
 * The names of temporary files, which say who writes them.
 *
 * Owns the names. A temporary file that a crash leaves behind may be removed once its writer is known to be dead, and only
 * then: in a directory that many processes share, that of a living one looks just the same.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Digest from "../domain/Digest.ts"
import type { Owner } from "../domain/Owner.ts"
import { ProcessTable } from "./ProcessTable.ts"

const prefix = ".prodigy-tmp-"

/**
 * Who writes, as it stands in names. Empty where nobody is named: such files are nobody's to remove.
 *
 * @since 0.1.0
 * @category references
 */
export class Writer extends Context.Reference<Writer>()("@prodigy/core/storage/TemporaryName/Writer", {
  defaultValue: () => ""
}) {}

/**
 * This process as the writer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWriter: Layer.Layer<Writer, never, ProcessTable> = Layer.effect(
  Writer,
  Effect.map(ProcessTable, ({ self }) => writer(self))
)

/**
 * The name of a temporary file of a writer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (by: string, random: number): string => `${prefix}${by}${random.toString(36)}`

/**
 * Whether a file name is that of a temporary file, which only a crash leaves behind.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isTemporary = (name: string): boolean => name.startsWith(prefix)

/**
 * Who wrote a temporary file, as far as a process of the host of `self` can name it; null for other hosts' files and for
 * those that name nobody.
 *
 * @since 0.1.0
 * @category decoding
 */
export const ownerOf = (name: string, self: Owner): Owner | null => {
  const [pid, host, startedAt, random] = isTemporary(name) ? name.slice(prefix.length).split("~") : []
  if (pid === undefined || startedAt === undefined || random === undefined) return null
  if (!/^\d{1,10}$/.test(pid) || host !== hostDigest(self.host)) return null
  return { pid: Number(pid), host: self.host, started_at: startedAt.replaceAll("+", "/") }
}

/** An owner's part of a name. A start that does not fit a name names nobody. */
const writer = ({ host, pid, started_at }: Owner): string =>
  /^[\w./:-]{1,120}$/.test(started_at) ? `${pid}~${hostDigest(host)}~${started_at.replaceAll("/", "+")}~` : ""

const hostDigest = (host: string): string => Digest.sha256(host).slice(0, 8)
