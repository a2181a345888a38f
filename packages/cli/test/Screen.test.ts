import { assert, describe, it } from "@effect/vitest"
import { Approval } from "@prodigy/core/engine/Approval"
import * as Progress from "@prodigy/core/engine/Progress"
import * as WorkflowProgress from "@prodigy/core/engine/WorkflowProgress"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as AskApproval from "../src/AskApproval.ts"
import * as LiveBlock from "../src/LiveBlock.ts"
import * as Screen from "../src/Screen.ts"
import * as TestScreen from "./TestScreen.ts"
import { event, jobId, sessionId, view } from "./values.ts"

const deviceOf = (
  written: Array<string>,
  terminal: boolean,
  noteSize: Screen.Device["noteSize"] = () => ({ columns: 4, rows: 24 }),
  atEnd: Screen.Device["atEnd"] = () => {}
): Screen.Device => ({
  dataIsTerminal: terminal,
  noteIsTerminal: terminal,
  inputIsTerminal: terminal,
  env: {},
  dataColumns: () => 80,
  noteSize,
  atEnd,
  writeData: (text) =>
    Effect.sync(() => {
      if (text === "gone\n") return "EPIPE"
      written.push(`data:${text}`)
      return null
    }),
  writeNote: (text) => Effect.sync(() => void written.push(text)),
  readLine: Effect.succeedNone
})

// Row by row, upwards: a terminal that is cleared from its first cell on keeps what it showed above its first row.
const erased = (above: number) => `\r\u001b[2K${"\u001b[A\u001b[2K".repeat(above)}\u001b[J`

describe("Screen", () => {
  it.effect("draws notes above the block, and takes the block away with every row it took", () => {
    const written: Array<string> = []
    const size = { columns: 8, rows: 24 }
    return Effect.gen(function* () {
      const screen = yield* Screen.Screen
      yield* screen.block(["123456", "b"])
      yield* screen.block(["123456", "b"])
      yield* screen.note("note")
      size.columns = 4
      yield* screen.block([])
      // The cursor waits below, on a row for an echoed ^C, or for the shell of a killed process.
      const drawn = "\u001b[?7l123456\nb\n\u001b[?7h"
      // Six columns wrap to two rows of a terminal that is four wide: the cursor is a row further down.
      assert.deepStrictEqual(written, [drawn, `${erased(2)}note\n${drawn}`, erased(3)])
    }).pipe(Effect.provide(Screen.layer(deviceOf(written, true, () => size))))
  })

  it.effect("takes away one row of a line that was cut off at the right, not the lines above the block", () => {
    const written: Array<string> = []
    return Effect.gen(function* () {
      const screen = yield* Screen.Screen
      yield* screen.block(["123456", "b"])
      yield* screen.block([])
      assert.strictEqual(written[1], erased(2))
    }).pipe(Effect.provide(Screen.layer(deviceOf(written, true))))
  })

  it.effect("is never higher than the terminal, nor takes away more rows than that has", () => {
    const written: Array<string> = []
    const size = { columns: 80, rows: 4 }
    return Effect.gen(function* () {
      const screen = yield* Screen.Screen
      yield* screen.block(["a", "b", "c", "d", "e"])
      assert.strictEqual(written[0], "\u001b[?7la\nb\nc\n\u001b[?7h")
      size.rows = 2
      yield* screen.block([])
      assert.strictEqual(written[1], erased(1))
    }).pipe(Effect.provide(Screen.layer(deviceOf(written, true, () => size))))
  })

  it.effect("can be left with the whole block away, at any moment", () => {
    const written: Array<string> = []
    let leave = () => "not told"
    const device = deviceOf(
      written,
      true,
      () => ({ columns: 80, rows: 24 }),
      (how) => void (leave = how)
    )
    return Effect.gen(function* () {
      const screen = yield* Screen.Screen
      assert.strictEqual(leave(), "")
      yield* screen.block(["a", "b", "c"])
      assert.strictEqual(leave(), erased(3))
      yield* screen.block([])
      assert.strictEqual(leave(), "")
    }).pipe(Effect.provide(Screen.layer(device)))
  })

  it.effect("draws no block and no colours where there is no terminal", () => {
    const written: Array<string> = []
    return Effect.gen(function* () {
      const screen = yield* Screen.Screen
      yield* screen.block(["a"])
      yield* screen.note(screen.noteStyle.bad("note"))
      yield* screen.data("data")
      assert.deepStrictEqual(written, ["note\n", "data:data\n"])
      assert.strictEqual((yield* Effect.flip(screen.data("gone")))._tag, "OutputClosed")
    }).pipe(Effect.provide(Screen.layer(deviceOf(written, false))))
  })

  it("follows NO_COLOR and FORCE_COLOR before the terminal", () => {
    assert.isTrue(Screen.useColours(true, {}))
    assert.isTrue(Screen.useColours(true, { NO_COLOR: "" }))
    assert.isFalse(Screen.useColours(true, { NO_COLOR: "1", FORCE_COLOR: "1" }))
    assert.isTrue(Screen.useColours(false, { FORCE_COLOR: "1" }))
    assert.isFalse(Screen.useColours(true, { TERM: "dumb" }))
  })
})

describe("AskApproval", () => {
  const question = { sessionId, target: "main", commits: 3, files: 1 }
  const ask = (answer?: string) => {
    const screen = TestScreen.make(answer === undefined ? {} : { answer })
    return Effect.map(
      Effect.provide(
        Effect.flatMap(Approval, (approval) => approval.ask(question)),
        AskApproval.layer.pipe(Layer.provide(screen.layer))
      ),
      (outcome) => ({ outcome, questions: screen.written.questions })
    )
  }

  it.effect("takes only yes for yes, and asks nobody without a terminal", () =>
    Effect.gen(function* () {
      for (const answer of ["y", " YES "]) assert.strictEqual((yield* ask(answer)).outcome, "yes")
      for (const answer of ["", "n", "yep"]) assert.strictEqual((yield* ask(answer)).outcome, "declined")
      assert.deepStrictEqual(yield* ask(), { outcome: "not_asked", questions: [] })
      const { questions } = yield* ask("n")
      assert.deepStrictEqual(questions, [`3 commits, 1 file changed. Merge ${sessionId} to main? [y/N] `])
    })
  )
})

describe("LiveBlock", () => {
  const job = Effect.gen(function* () {
    const progress = yield* Progress.Progress
    yield* progress.update(() => view)
    yield* Effect.sleep("250 millis")
    yield* progress.publish([
      event({ event_type: "map_phase_started", job_id: jobId, total_items: 2 }),
      event({ event_type: "memory_pressure", job_id: jobId, rss_bytes: 1 }),
      event({ event_type: "job_paused", job_id: jobId, reason: "enough" })
    ])
    return "result"
  })

  it.live("says each change in a line where there is no terminal, to the last one", () => {
    const { layer, written } = TestScreen.make()
    return Effect.gen(function* () {
      assert.strictEqual(yield* LiveBlock.during(job), "result")
      assert.deepStrictEqual(written.notes, ["08:00:00 map started: 2 items", "08:00:00 paused: enough"])
    }).pipe(Effect.provide([layer, Progress.layer, WorkflowProgress.layer]))
  })

  for (const size of [undefined, { columns: 80, rows: 24 }]) {
    it.live(`waits for an interrupted run to end ${size === undefined ? "without" : "on"} a terminal`, () => {
      const { layer, written } = TestScreen.make(size === undefined ? {} : { size })
      return Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const run = Effect.onInterrupt(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never), () =>
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => void written.notes.push("ended"))
          )
        )
        const said = Effect.onInterrupt(LiveBlock.during(run), () => Effect.sync(() => void written.notes.push("said")))
        const fiber = yield* Effect.fork(said)
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(written.notes, ["Stopping; Ctrl-C again ends at once.", "ended", "said"])
      }).pipe(Effect.provide([layer, Progress.layer, WorkflowProgress.layer]))
    })
  }

  it.live("draws on a terminal at most ten times a second, and leaves nothing", () => {
    const { layer, written } = TestScreen.make({ size: { columns: 80, rows: 24 } })
    return Effect.gen(function* () {
      yield* LiveBlock.during(job)
      assert.isAtMost(written.blocks.length, 5)
      assert.isTrue(written.blocks.some(([line]) => /^map .*20\/40/.test(line ?? "")))
      assert.deepStrictEqual(written.blocks.at(-1), [])
    }).pipe(Effect.provide([layer, Progress.layer, WorkflowProgress.layer]))
  })
})
