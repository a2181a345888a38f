import * as JsonDocument from "@prodigy/core/storage/JsonDocument"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

const Thing = Schema.Struct({ index: Schema.Int, tip: Schema.String })
const Line = Schema.Struct({ v: Schema.Literal(1), ...Thing.fields })
const thing = { index: 17, tip: "é 😀 0123456789abcdef" }
const place = { path: "file", line: 3 }

const line = StoredJson.sealed(Line, "a thing")
const document = JsonDocument.make(Thing, "a thing")

/** What `AtomicFile` makes of bytes: those that are not UTF-8 become what no JSON text holds. */
const textOf = (bytes: Uint8Array): string =>
  Either.getOrElse(
    Either.try(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)),
    () => "\u0000"
  )

describe("StoredJson", () => {
  const kinds = [
    ["a line", line.encode({ v: 1, ...thing }), (text: string) => line.decode(text, place)],
    ["a document", document.encode(thing), (text: string) => document.decode(text, place.path)]
  ] as const
  for (const [name, encoded, decode] of kinds) {
    it.effect(`gives back ${name} that was sealed`, () =>
      Effect.gen(function* () {
        const text = yield* encoded
        assert.isTrue(StoredJson.isSealed(text))
        assert.deepInclude(yield* decode(text), thing)
      })
    )

    it.effect(`finds every byte that became another: ${name}`, () =>
      Effect.gen(function* () {
        const bytes = new TextEncoder().encode(yield* encoded)
        for (let at = 0; at < bytes.length; at++) {
          for (let bit = 0; bit < 8; bit++) {
            const flipped = Uint8Array.from(bytes)
            flipped[at]! ^= 1 << bit
            const read = yield* Effect.either(decode(textOf(flipped)))
            assert.isTrue(Either.isLeft(read), `byte ${at}, bit ${bit}: ${textOf(flipped)}`)
          }
        }
      })
    )

    it.effect(`finds wherever the end is missing: ${name}`, () =>
      Effect.gen(function* () {
        const text = yield* encoded
        for (let length = 0; length < text.trimEnd().length; length++) {
          assert.isTrue(Either.isLeft(yield* Effect.either(decode(text.slice(0, length)))), `cut at ${length}`)
        }
      })
    )
  }

  it.effect("says which checksum was expected, and when there is none", () =>
    Effect.gen(function* () {
      const text = yield* line.encode({ v: 1, ...thing })
      const changed = yield* Effect.flip(line.decode(text.replace("17", "18"), place))
      assert.match(changed.message, /^file:3 is damaged: expected checksum [0-9a-f]{8}, found checksum [0-9a-f]{8}\.$/)
      const bare = yield* Effect.flip(line.decode(JSON.stringify({ v: 1, ...thing }), place))
      assert.strictEqual(bare.message, "file:3 is damaged: expected a checksum at the end, found none.")
    })
  )
})
