/**
 * The storage as a whole: its sizes and its health.
 *
 * @since 0.1.0
 */
import type { Diagnosis } from "@prodigy/core/engine/Doctor"
import type { Report } from "@prodigy/core/engine/StorageReport"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/**
 * A table of sizes, the biggest first, and what all of it takes.
 *
 * @since 0.1.0
 * @category rendering
 */
export const sizes = (
  report: Report,
  { columns, style }: { readonly columns: number | null; readonly style: Style }
): string => {
  const rows = report.sizes
    // A directory of other directories is told with what is in them.
    .filter(({ files, repo }) => repo !== null || files > 0)
    .toSorted((a, b) => b.bytes - a.bytes || a.path.localeCompare(b.path))
    .map(({ bytes, component, files, path }) => [size(bytes), String(files), component, Text.clean(path)])
  const shown = report.sizes.reduce((sum, { bytes }) => sum + bytes, 0)
  const others = report.bytes - shown
  const free = report.free_bytes === null ? "" : `, ${size(report.free_bytes)} free`
  return [
    ...(rows.length === 0 ? [] : [table(["SIZE", "FILES", "COMPONENT", "LOCATION"], rows, { style, columns }), ""]),
    `${style.bold(size(report.bytes))} in ${Text.count(report.files, "file")} below ${Text.clean(report.root)}${free}`,
    ...(others > 0 ? [style.dim(`${size(others)} of it are other repositories': --all-repos`)] : [])
  ].join("\n")
}

/**
 * Findings, those with something to do last, each with what to do.
 *
 * @since 0.1.0
 * @category rendering
 */
export const diagnosis = ({ findings }: Diagnosis, style: Style): string => {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const labels = { ok: style.good("ok     "), warning: style.warn("note   "), error: style.bad("broken ") }
  const rank = { ok: 0, warning: 1, error: 2 }
  return findings
    .toSorted((a, b) => rank[a.status] - rank[b.status])
    .flatMap(({ advice, check, detail, status }) => [
      `${labels[status]} ${Text.padEnd(check.replaceAll("_", " "), width)}  ${Text.clean(detail)}`,
      ...(advice === null ? [] : [`${" ".repeat(width + 10)}${Text.clean(advice)}`])
    ])
    .join("\n")
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"]

/** A number of bytes in the unit that fits. */
const size = (bytes: number): string => {
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const amount = bytes / 1024 ** power
  return `${power === 0 ? bytes : amount.toFixed(amount < 10 ? 1 : 0)} ${units[power]}`
}
