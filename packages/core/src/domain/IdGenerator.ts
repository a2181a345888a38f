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

/** Formats 48 bits of time and 80 random ones as RFC 9562 section 5.7 lays them out. */
const format = (epochMillis: number, random: Uint8Array): string => {
  const bytes = new Uint8Array(16)
  let rest = epochMillis
  for (let index = 5; index >= 0; index--) {
    bytes[index] = rest % 256
    rest = Math.floor(rest / 256)
  }
  bytes.set(random.subarray(0, 10), 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const fromBytes = (randomBytes: Effect.Effect<Uint8Array>) => {
  let lastMillis = 0
  let count = 0
  return Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const bytes = yield* randomBytes
    // 12 bits of counter after the time keep ids of one millisecond, or of a clock set back, in order.
    if (now > lastMillis) {
      lastMillis = now
      count = 0
    } else if (++count > 0xfff) {
      lastMillis += 1
      count = 0
    }
    bytes[0] = count >> 8
    bytes[1] = count & 0xff
    return format(lastMillis, bytes)
  })
}

/**
 * Random bytes of the platform's Web Crypto.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<IdGenerator> = Layer.sync(IdGenerator, () => ({
  uuid: fromBytes(Effect.sync(() => globalThis.crypto.getRandomValues(new Uint8Array(10))))
}))

/**
 * Random bytes of Effect's `Random`: repeatable under a seeded one. Not for production, where two processes could
 * start from equal seeds.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSeeded: Layer.Layer<IdGenerator> = Layer.sync(IdGenerator, () => ({
  uuid: fromBytes(
    Effect.map(Effect.all(Array.from({ length: 10 }, () => Random.nextIntBetween(0, 256))), (bytes) =>
      Uint8Array.from(bytes)
    )
  )
}))
