/**
 * JSON as it stands in our files: one compact text per value, decoded by its schema.
 *
 * Owns how damage is described. Fields that a schema does not know are tolerated and left out.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { DamagedFile } from "./AtomicFile.ts"

/**
 * Where a text was read: `line` is 1-based, 0 for a file that is one value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly path: string
  readonly line: number
}

/**
 * Both directions of one kind of value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Codec<A> {
  /** One line, without a line feed. A value that its own schema refuses is a defect. */
  readonly encode: (value: A) => Effect.Effect<string>
  readonly decode: (text: string, place: Place) => Effect.Effect<A, DamagedFile>
  /** As `decode`, for a JSON text that is parsed already. */
  readonly decodeValue: (value: unknown, place: Place) => Effect.Effect<A, DamagedFile>
}

/**
 * `what` names the kind in messages: "a journal entry".
 *
 * @since 0.1.0
 * @category constructors
 */
export const codec = <A, I>(schema: Schema.Schema<A, I>, what: string): Codec<A> => {
  const encode = Schema.encode(schema)
  const decode = Schema.decodeUnknown(schema)
  const decodeValue = (value: unknown, place: Place) =>
    Effect.mapError(decode(value), (error) => misfit(place, what, error))
  return {
    encode: (value) => Effect.orDie(Effect.map(encode(value), (encoded) => JSON.stringify(encoded))),
    decode: (text, place) => Effect.flatMap(parse(text, place, what), (value) => decodeValue(value, place)),
    decodeValue
  }
}

/**
 * The value of a JSON text, of whatever shape.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (text: string, place: Place, what: string): Effect.Effect<unknown, DamagedFile> =>
  Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new DamagedFile({ ...place, expected: `${what} in JSON`, actual: excerpt(text) })
  })

/** Only the first thing that is wrong, and first of all where: the list of what it could be may be long. */
const misfit = (place: Place, what: string, error: ParseResult.ParseError): DamagedFile => {
  const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
  const at = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `
  return new DamagedFile({ ...place, expected: what, actual: excerpt(`${at}${issue?.message ?? "something else"}`) })
}

const excerptMax = 200

const excerpt = (text: string): string =>
  text.length === 0 ? "nothing" : text.length <= excerptMax ? text : `${text.slice(0, excerptMax)}…`
