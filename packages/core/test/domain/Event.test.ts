import * as Event from "@prodigy/core/domain/Event"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

const record = (event: unknown) => ({
  v: 1,
  id: "01940000-0000-7000-8000-000000000000",
  timestamp: "2026-01-01T00:00:00.000Z",
  correlation_id: "session-x",
  event,
  metadata: { host: "h", pid: 1 }
})
const decode = Schema.decodeUnknown(Event.EventRecord)
const refused = (input: unknown) => Effect.map(Effect.either(decode(input)), Either.isLeft)
const known = Arbitrary.make(Event.Known)

describe("Event", () => {
  it.effect.prop("keeps every field of every known kind", [known], ([event]) =>
    Effect.gen(function* () {
      const decoded = yield* decode(record(event))
      assert.deepStrictEqual(decoded.event, event)
      assert.deepStrictEqual(yield* Schema.encode(Event.EventRecord)(decoded), record(event))
    })
  )

  it.effect.prop(
    "refuses a known kind of which a field is missing or wrong",
    [known, FastCheck.nat()],
    ([event, pick]) =>
      Effect.gen(function* () {
        const fields = Object.entries(event).filter(
          ([key, value]) =>
            key !== "event_type" &&
            key !== "json_log_location" &&
            !(key === "until" && event.event_type === "circuit_breaker_changed") &&
            value !== undefined
        )
        const [key] = fields[pick % fields.length] ?? ["job_id"]
        const { [key]: _, ...missing } = event as Record<string, unknown>
        assert.isTrue(yield* refused(record(missing)), `without ${key}`)
        assert.isTrue(yield* refused(record({ ...event, [key]: { not: "this" } })), `with a wrong ${key}`)
      })
  )

  it.effect("keeps an unknown kind with all its fields", () =>
    Effect.gen(function* () {
      const event = { event_type: "teleported", job_id: "j", to: { x: [1, null, "é"] }, agent_id: 7 }
      const decoded = yield* decode(record(event))
      assert.deepStrictEqual(decoded.event, event)
      assert.deepStrictEqual(yield* Schema.encode(Event.EventRecord)(decoded), record(event))
    })
  )

  it.effect("tolerates fields that a newer version added to a known kind", () =>
    Effect.gen(function* () {
      const decoded = yield* decode({
        ...record({ event_type: "job_paused", job_id: "j", reason: "r", by: "me" }),
        more: 1
      })
      assert.deepStrictEqual(decoded.event, { event_type: "job_paused", job_id: "j", reason: "r" })
    })
  )

  const malformed: ReadonlyArray<readonly [string, unknown]> = [
    ["null", null],
    ["a text", "job_started"],
    ["an event without a kind", record({ job_id: "j" })],
    ["an unknown kind without a job", record({ event_type: "teleported" })],
    ["a kind that is no text", record({ event_type: 3, job_id: "j" })],
    ["another format version", { ...record({ event_type: "reduce_phase_started", job_id: "j" }), v: 2 }],
    ["a local time", { ...record({ event_type: "reduce_phase_started", job_id: "j" }), timestamp: "2026-01-01 00:00" }]
  ]
  for (const [what, input] of malformed) {
    it.effect(`refuses ${what}`, () =>
      Effect.gen(function* () {
        assert.isTrue(yield* refused(input))
      })
    )
  }
})
