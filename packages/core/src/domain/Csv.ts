/**
 * Tables as comma-separated values, after RFC 4180, that are safe to open in a spreadsheet.
 *
 * A text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage return) gets an
 * apostrophe in front: what came from items and agents is data and runs nowhere. So CSV is for people and spreadsheets;
 * programs that need every byte take JSON.
 *
 * @since 0.1.0
 */

/**
 * A value of a table. Numbers and booleans are written as they are.
 *
 * @since 0.1.0
 * @category models
 */
export type Cell = string | number | boolean | null | undefined

/**
 * One record with the CR LF behind it; values may hold line ends.
 *
 * @since 0.1.0
 * @category encoding
 */
export const record = (cells: ReadonlyArray<Cell>): string => `${cells.map(field).join(",")}\r\n`

const field = (cell: Cell): string => {
  if (cell === null || cell === undefined) return ""
  if (typeof cell !== "string") return String(cell)
  const text = formula.test(cell) ? `'${cell}` : cell
  return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Full-width signs count: some spreadsheets take them for the others. */
const formula = /^\s*[=+\-@＝＋－＠\t\r]/

const special = /[",\r\n]|^\s|\s$/
