/**
 * JSON as it stands in our files: one compact text per value, decoded by its schema.
 *
 * Owns how damage is found and described. What is trusted after a crash is *sealed*: its last field is the CRC-32 of the
 * text before it, so that a flipped bit is found also where the text stays valid. Fields that a schema does not know are
 * tolerated and left out.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { crc32 } from "../domain/Crc32.ts"
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
  /** As `decode`, for whoever has thousands of lines at hand. */
  readonly decodeNow: (text: string, place: Place) => Either.Either<A, DamagedFile>
}

/**
 * A codec that also takes values whose text is parsed already.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueCodec<A> extends Codec<A> {
  /** As `decode`, for the value of the text. */
  readonly decodeValue: (value: unknown, place: Place) => Effect.Effect<A, DamagedFile>
}

/**
 * `what` names the kind in messages: "a journal entry".
 *
 * @since 0.1.0
 * @category constructors
 */
export const codec = <A, I>(schema: Schema.Schema<A, I>, what: string): ValueCodec<A> => {
  const encode = Schema.encode(schema)
  const decode = Schema.decodeUnknownEither(schema)
  const decodeValue = (value: unknown, place: Place) =>
    Either.mapLeft(decode(value), (error) => misfit(place, what, error))
  const decodeNow = (text: string, place: Place) =>
    Either.flatMap(parsed(text, place, what), (value) => decodeValue(value, place))
  return {
    encode: (value) => Effect.orDie(Effect.map(encode(value), (encoded) => JSON.stringify(encoded))),
    decode: (text, place) => Effect.suspend(() => decodeNow(text, place)),
    decodeNow,
    decodeValue: (value, place) => Effect.suspend(() => decodeValue(value, place))
  }
}

/**
 * As `codec`, for objects, sealed. A text that its seal does not fit is never decoded.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sealed = <A, I extends object>(schema: Schema.Schema<A, I>, what: string): Codec<A> => {
  const open = codec(schema, what)
  const decodeNow = (text: string, place: Place) => {
    const decoded = open.decodeNow(text, place)
    return isSealed(text) || Either.isLeft(decoded) ? decoded : Either.left(unsealed(text, place))
  }
  return {
    encode: (value) => Effect.map(open.encode(value), seal),
    decode: (text, place) => Effect.suspend(() => decodeNow(text, place)),
    decodeNow
  }
}

const tail = /(,\s*"crc32":\s*")([0-9a-f]{8})"\s*\}\n?$/
const tailMax = 40

/**
 * The text of an object with its seal: a last field `crc32`, laid out as the object is.
 *
 * @since 0.1.0
 * @category sealing
 */
export const seal = (text: string): string => {
  const [end = "}"] = /\s*\}\n?$/.exec(text) ?? []
  const body = text.slice(0, -end.length)
  const [layout, space] = end.startsWith("\n") ? ["\n  ", " "] : ["", ""]
  return `${body},${layout}"crc32":${space}"${crc32(body)}"${end}`
}

/**
 * Whether the text is as it was sealed.
 *
 * @since 0.1.0
 * @category sealing
 */
export const isSealed = (text: string): boolean => {
  const end = text.slice(-tailMax)
  const found = tail.exec(end)
  return found !== null && crc32(text.slice(0, text.length - end.length + found.index)) === found[2]
}

/**
 * The damage of a text that could be read and is not as it was sealed.
 *
 * @since 0.1.0
 * @category errors
 */
export const unsealed = (text: string, place: Place): DamagedFile => {
  const end = text.slice(-tailMax)
  const found = tail.exec(end)
  if (found === null) return new DamagedFile({ ...place, expected: "a checksum at the end", actual: "none" })
  const actual = crc32(text.slice(0, text.length - end.length + found.index))
  return new DamagedFile({ ...place, expected: `checksum ${found[2]}`, actual: `checksum ${actual}` })
}

/**
 * The value of a JSON text, of whatever shape.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (text: string, place: Place, what: string): Effect.Effect<unknown, DamagedFile> =>
  Effect.suspend(() => parsed(text, place, what))

const parsed = (text: string, place: Place, what: string): Either.Either<unknown, DamagedFile> => {
  try {
    return Either.right(JSON.parse(text))
  } catch {
    return Either.left(new DamagedFile({ ...place, expected: `${what} in JSON`, actual: excerpt(text) }))
  }
}

/** Only the first thing that is wrong, and first of all where: the list of what it could be may be long. */
const misfit = (place: Place, what: string, error: ParseResult.ParseError): DamagedFile => {
  const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
  const at = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `
  return new DamagedFile({ ...place, expected: what, actual: excerpt(`${at}${issue?.message ?? "something else"}`) })
}

const excerptMax = 200

const excerpt = (text: string): string =>
  text.length === 0 ? "nothing" : text.length <= excerptMax ? text : `${text.slice(0, excerptMax)}…`
