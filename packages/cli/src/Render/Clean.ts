/**
 * What was cleaned, and what was not.
 *
 * @since 0.1.0
 */
import type { Result } from "@prodigy/core/engine/Clean"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/**
 * What was or would be removed, what stays and why, and what could not be removed. Empty: nothing of them.
 *
 * @since 0.1.0
 * @category rendering
 */
export const result = (
  { failed, kept, removed }: Result,
  { dryRun, style }: { readonly dryRun: boolean; readonly style: Style }
): string =>
  [
    ...removed.flatMap(({ detail, name, part, rescued }) => [
      `${dryRun ? "would remove" : "removed"} ${part} ${Text.clean(name)}${detail === null ? "" : style.dim(` (${Text.clean(detail)})`)}`,
      ...rescued.map((ref) => `  ${style.warn("kept its work on")} ${Text.clean(ref)}`)
    ]),
    ...kept.map(({ name, part, reason }) => `${style.warn("kept")} ${part} ${Text.clean(name)}: ${Text.clean(reason)}`),
    ...failed.map(
      ({ error, name, part }) => `${style.bad("not removed")} ${part} ${Text.clean(name)}: ${Text.clean(error)}`
    )
  ].join("\n")
