/**
 * Tables without lines: columns two spaces apart, the last one shortened to what fits.
 *
 * @since 0.1.0
 */
import Table from "cli-table3"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

const noLines = Object.fromEntries(
  "top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle"
    .split(" ")
    .map((name) => [name, ""])
)

/**
 * Renders rows under headings. Cells must be clean text; `columns` null means no limit.
 *
 * @since 0.1.0
 * @category rendering
 */
export const table = (
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  options: { readonly style: Style; readonly columns: number | null }
): string => {
  const last = headings.length - 1
  const used = headings
    .slice(0, last)
    .reduce(
      (sum, heading, index) =>
        sum + 2 + Math.max(Text.width(heading), ...rows.map((row) => Text.width(row[index] ?? ""))),
      0
    )
  const room = options.columns === null ? Number.POSITIVE_INFINITY : Math.max(10, options.columns - used)
  const made = new Table({
    head: headings.map((heading) => options.style.dim(heading)),
    chars: noLines,
    style: { "padding-left": 0, "padding-right": 2, head: [], border: [], compact: true }
  })
  for (const row of rows) {
    made.push(row.map((cell, index) => (index === last ? Text.shorten(cell, room) : cell)))
  }
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
}
