/**
 * Why a job or an item is as it is.
 *
 * @since 0.1.0
 */
import type { Explanation, Happening } from "@prodigy/core/engine/Explain"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/**
 * The conclusion first, then what led to it, then what to type next.
 *
 * @since 0.1.0
 * @category rendering
 */
export const explanation = (value: Explanation, style: Style): string => {
  const id = value.job_id ?? value.session_id
  const subject = value.item === null ? id : `${Text.clean(value.item.id)} of ${id}`
  return [
    `${style.bold(subject)} is ${value.status === "dead_lettered" ? "in the dead letter queue" : value.status}.`,
    `  ${Text.clean(value.conclusion)}`,
    ...(value.story.length === 0 ? [] : ["", style.bold("What happened")]),
    ...(value.left_out === 0
      ? []
      : [style.dim(`  ${Text.count(value.left_out, "earlier failure")} of items left out`)]),
    ...value.story.flatMap((one) => lines(one, value.item === null, style)),
    "",
    style.bold("Next"),
    ...next(value).map((line) => `  ${line}`)
  ].join("\n")
}

const lines = ({ at, because, item_id, what }: Happening, withItem: boolean, style: Style): ReadonlyArray<string> => {
  const time = at === null ? Text.padEnd("", timeColumns) : style.dim(at.replace(/\.\d+Z$/, "Z"))
  const item = withItem && item_id !== null ? `${Text.shorten(Text.clean(item_id), 40)} ` : ""
  return [
    `  ${time}  ${item}${Text.clean(what)}`,
    ...(because === null ? [] : [`  ${Text.padEnd("", timeColumns)}    ${style.dim(Text.clean(because))}`])
  ]
}

/** Columns of a time of seconds. */
const timeColumns = 20

const next = ({ item, job_id, session_id, status }: Explanation): ReadonlyArray<string> => {
  const id = job_id ?? session_id
  const resumable = status === "interrupted" || status === "paused" || status === "failed"
  if (item === null) {
    return [...(resumable ? [`prodigy resume ${session_id}`] : []), `prodigy sessions show ${session_id}`]
  }
  const argument = Text.itemArgument(item.id)
  if (status === "dead_lettered" && job_id !== null) return [`prodigy dlq inspect --job-id ${job_id} ${argument}`]
  return [`prodigy explain ${id}`]
}
