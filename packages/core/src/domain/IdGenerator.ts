/**
 * Unique ids: UUIDs of version 7 (RFC 9562), which sort by the time they were made.
 *
 * Time comes from the `Clock`; the random part from the layer, so that a seeded layer makes a whole run repeatable.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"

/**
 * @since 0.1.0
 * @category services
 */
export class IdGenerator extends Context.Tag("@prodigy/core/domain/IdGenerator")<
  IdGenerator,
  {
    /** A new UUIDv7. Ids made by one generator sort in the order they were made. */
    readonly uuid: Effect.Effect<string>
  }
>() {}

/** Formats 48 bits of time, 12 of a count and 62 random ones as RFC 9562 section 5.7 lays them out. */
const format = (time: string, count: number, random: Uint8Array, at: number): string => {
  const variant = hex((byteAt(random, at) & 0x3f) | 0x80)
  let node = ""
  for (let index = at + 2; index < at + bytesPerId; index++) node += hex(byteAt(random, index))
  return `${time}${hex(count >> 8).slice(1)}${hex(count & 0xff)}-${variant}${hex(byteAt(random, at + 1))}-${node}`
}

/** What an id has up to its count. The same for all ids of a millisecond, of which there may be hundreds. */
const formatTime = (epochMillis: number): string => {
  const time = epochMillis.toString(16).padStart(12, "0")
  return `${time.slice(0, 8)}-${time.slice(8)}-7`
}

const bytesPerId = 8
const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))
const hex = (byte: number): string => hexOf[byte] ?? ""
const byteAt = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0

/** Time and count that only ever go up. */
const makeSequence = () => {
  let lastMillis = 0
  let count = 0
  let time = formatTime(0)
  return (now: number, random: Uint8Array, at: number): string => {
    // 12 bits of counter after the time keep ids of one millisecond, or of a clock set back, in order.
    if (now > lastMillis || count === 0xfff) {
      lastMillis = Math.max(now, lastMillis + 1)
      count = 0
      time = formatTime(lastMillis)
    } else count += 1
    return format(time, count, random, at)
  }
}

/**
 * Random bytes of the platform's Web Crypto.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<IdGenerator> = Layer.sync(IdGenerator, () => {
  const next = makeSequence()
  // Bytes for many ids at once: a call into Web Crypto costs more than everything else here.
  const pool = new Uint8Array(bytesPerId * 256)
  let at = pool.length
  return {
    uuid: Effect.map(Clock.currentTimeMillis, (now) => {
      if (at === pool.length) {
        globalThis.crypto.getRandomValues(pool)
        at = 0
      }
      at += bytesPerId
      return next(now, pool, at - bytesPerId)
    })
  }
})

/**
 * Random bytes of Effect's `Random`: repeatable under a seeded one. Not for production, where two processes could
 * start from equal seeds.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSeeded: Layer.Layer<IdGenerator> = Layer.sync(IdGenerator, () => {
  const next = makeSequence()
  const word = Random.nextIntBetween(0, 2 ** 32)
  return {
    uuid: Effect.gen(function* () {
      const random = new Uint8Array(bytesPerId)
      const view = new DataView(random.buffer)
      for (let at = 0; at < bytesPerId; at += 4) view.setUint32(at, yield* word)
      return next(yield* Clock.currentTimeMillis, random, 0)
    })
  }
})
