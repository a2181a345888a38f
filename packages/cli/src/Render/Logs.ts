/**
 * Transcripts: which there are, and their lines.
 *
 * @since 0.1.0
 */
import * as ClaudeProtocol from "@prodigy/core/agent/ClaudeProtocol"
import type { Log, LogLine } from "@prodigy/core/engine/Logs"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/**
 * A table of transcripts.
 *
 * @since 0.1.0
 * @category rendering
 */
export const logs = (
  list: ReadonlyArray<Log>,
  options: { readonly nowMillis: number; readonly style: Style; readonly columns: number | null }
): string =>
  table(
    ["ITEM", "AGE", "BYTES", "STEP"],
    list.map(({ bytes, itemId, modifiedAtMillis, name }) => [
      itemId === null ? "-" : Text.shorten(Text.clean(itemId), 40),
      Text.age(options.nowMillis - modifiedAtMillis),
      String(bytes),
      Text.clean(name)
    ]),
    options
  )

/**
 * The line that stands above what a transcript holds.
 *
 * @since 0.1.0
 * @category rendering
 */
export const heading = ({ itemId, name }: Log, style: Style): string =>
  style.bold(`==> ${itemId === null ? "" : `${Text.shorten(Text.clean(itemId), 40)}: `}${Text.clean(name)} <==`)

/**
 * A line as people read it: of an agent, what it said and which tools it used; of a command, what it printed, harmless
 * for a terminal. Nothing for lines of an agent that tell nothing.
 *
 * @since 0.1.0
 * @category rendering
 */
export const line = ({ log, text }: LogLine): ReadonlyArray<string> => {
  if (log.kind === "shell") return [Text.outputLine(text)]
  if (!text.startsWith("{")) return [Text.outputLine(text)]
  const [, events] = ClaudeProtocol.step(ClaudeProtocol.empty, text)
  return events.flatMap((event) => {
    switch (event._tag) {
      case "SessionStarted":
        return [`session ${Text.clean(event.agentSessionId)}, ${Text.clean(event.model)}`]
      case "Message":
        return event.text === "" ? [] : event.text.split("\n").map((part) => `${event.role}: ${Text.outputLine(part)}`)
      case "ToolInvoked":
        return [`${Text.clean(event.tool)}: ${Text.clean(event.summary)}`]
      case "Used":
        return event.usage.usd > 0 ? [`cost ${Text.dollars(event.usage.usd)}`] : []
    }
  })
}
