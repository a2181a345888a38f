/** A screen that keeps what is written. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { plain } from "../src/Render/Style.ts"
import { OutputClosed, Screen } from "../src/Screen.ts"

export interface Written {
  readonly data: Array<string>
  readonly notes: Array<string>
  readonly blocks: Array<ReadonlyArray<string>>
  readonly questions: Array<string>
}

export const make = (
  options: {
    readonly size?: { readonly columns: number; readonly rows: number }
    readonly answer?: string
    readonly closed?: boolean
  } = {}
): { readonly written: Written; readonly layer: Layer.Layer<Screen> } => {
  const written: Written = { data: [], notes: [], blocks: [], questions: [] }
  const layer = Layer.succeed(Screen, {
    dataStyle: plain,
    noteStyle: plain,
    dataColumns: Effect.succeed(null),
    blockSize: Effect.succeed(options.size ?? null),
    canAsk: options.answer !== undefined,
    data: (text) =>
      options.closed === true ? new OutputClosed({ code: "EPIPE" }) : Effect.sync(() => void written.data.push(text)),
    note: (text) => Effect.sync(() => void written.notes.push(text)),
    block: (lines) => Effect.sync(() => void written.blocks.push(lines)),
    ask: (question) =>
      Effect.sync(() => {
        written.questions.push(question)
        return Option.fromNullable(options.answer)
      })
  })
  return { written, layer }
}
