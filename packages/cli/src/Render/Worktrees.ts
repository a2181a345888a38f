/**
 * Worktrees as a list and one by one, and what became of those that were cleaned or merged.
 *
 * @since 0.1.0
 */
import type { Cleaning, Entry, Merged } from "@prodigy/core/engine/SessionWorktrees"
import * as DateTime from "effect/DateTime"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

interface Options {
  readonly nowMillis: number
  readonly style: Style
  readonly columns: number | null
}

/**
 * A table of worktrees.
 *
 * @since 0.1.0
 * @category rendering
 */
export const worktrees = (entries: ReadonlyArray<Entry>, { columns, nowMillis, style }: Options): string => {
  const rows = entries.map((entry) => [
    Text.clean(entry.name),
    sessionText(entry),
    entry.used_at === null ? "-" : Text.age(nowMillis - millisOf(entry.used_at)),
    workText(entry, style)
  ])
  return table(["WORKTREE", "SESSION", "USED", "WORK"], rows, { style, columns })
}

/**
 * Worktrees with everything there is to know.
 *
 * @since 0.1.0
 * @category rendering
 */
export const details = (entries: ReadonlyArray<Entry>, options: Options): string =>
  entries.map((entry) => detail(entry, options)).join("\n\n")

const detail = (entry: Entry, { nowMillis, style }: Options): string => {
  const used = entry.used_at
  const facts: ReadonlyArray<readonly [string, string | null]> = [
    ["work", workText(entry, style)],
    ["session", entry.session_id === null ? null : `${entry.session_id} (${sessionText(entry)})`],
    ["job", entry.job_id],
    ["item", entry.item_id === null ? null : `${Text.clean(entry.item_id)}, attempt ${entry.attempt ?? 1}`],
    ["agent", entry.agent_id],
    ["branch", entry.branch === null ? null : Text.clean(entry.branch)],
    ["base", entry.base],
    ["path", Text.clean(entry.path)],
    ["directory", entry.directory ? null : "gone"],
    ["git", entry.registered ? null : "knows nothing of it any more"],
    ["locked", entry.locked === null ? null : Text.clean(entry.locked) || "without a reason"],
    ["used", used === null ? null : `${used} (${Text.age(nowMillis - millisOf(used))} ago)`]
  ]
  const lines = facts.flatMap(([name, text]) => (text === null ? [] : [`  ${style.dim(Text.padEnd(name, 9))} ${text}`]))
  return [style.bold(Text.clean(entry.name)), ...lines].join("\n")
}

const sessionText = ({ role, session }: Entry): string => {
  if (role === "foreign" || session === null) return "-"
  return session.status?.toLowerCase() ?? session.use
}

const workText = (entry: Entry, style: Style): string => {
  if (entry.role === "foreign") return style.dim("not one of ours: never touched")
  if (entry.session?.use === "driven") return "in use"
  const left = [
    ...(entry.unmerged !== null && entry.unmerged > 0 ? [`${Text.count(entry.unmerged, "commit")} not merged`] : []),
    ...(entry.uncommitted !== null && entry.uncommitted > 0
      ? [`${Text.count(entry.uncommitted, "file")} not committed`]
      : [])
  ]
  const odd = [
    ...(entry.locked === null ? [] : ["locked"]),
    ...(entry.directory ? [] : ["directory gone"]),
    ...(entry.registered ? [] : ["unknown to git"])
  ]
  const work = left.length > 0 ? style.warn(left.join(", ")) : style.good("nothing to lose")
  return [work, ...odd].join(", ")
}

/**
 * What was or would be removed, and what stays and why. Empty: nothing of either.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cleaning = (
  { kept, removed }: Cleaning,
  { dryRun, style }: { readonly dryRun: boolean; readonly style: Style }
): string =>
  [
    ...removed.flatMap(({ branches, name, rescued }) => [
      `${dryRun ? "would remove" : "removed"} ${Text.clean(name)}`,
      ...branches.map((branch) => `  ${style.dim("with branch")} ${Text.clean(branch)}`),
      ...rescued.map((ref) => `  ${style.warn("kept its work on")} ${Text.clean(ref)}`)
    ]),
    ...kept.map(({ name, reason }) => `${style.warn("kept")} ${Text.clean(name)}: ${Text.clean(reason)}`)
  ].join("\n")

/**
 * What to type next, after cleaning; null: nothing.
 *
 * @since 0.1.0
 * @category rendering
 */
export const afterCleaning = ({ kept, removed }: Cleaning): string | null => {
  const rescued = removed.find((one) => one.rescued.length > 0)?.rescued[0]
  if (rescued !== undefined) return `To have it back: git worktree add --detach DIR ${rescued}`
  if (!kept.some(({ forceable }) => forceable)) return null
  return "--force removes those with work too, and keeps the work on rescue refs."
}

/**
 * What became of branches that were to be merged.
 *
 * @since 0.1.0
 * @category rendering
 */
export const merges = (merged: ReadonlyArray<Merged>, style: Style): string =>
  merged.flatMap((one) => mergeLines(one, style)).join("\n")

const mergeLines = ({ branch, finish, skipped, uncommitted }: Merged, style: Style): ReadonlyArray<string> => {
  const name = Text.clean(branch)
  if (finish === null) return [`${style.warn("passed over")} ${name}: ${Text.clean(skipped ?? "")}`]
  const files =
    uncommitted === null || uncommitted === 0
      ? []
      : [`  ${style.warn("not merged")} ${Text.count(uncommitted, "file")} not committed in its worktree`]
  switch (finish.outcome) {
    case "merged":
      return [
        `${style.good("merged")} ${name} into ${Text.clean(finish.target)} as ${finish.commit.slice(0, 12)}`,
        ...files
      ]
    case "nothing_to_merge":
      return [`${style.dim("nothing to merge")} of ${name} into ${Text.clean(finish.target)}`, ...files]
    case "waiting":
      return [
        `${style.bad("not merged")} ${name}: ${finish.reason.replaceAll("_", " ")}`,
        ...finish.paths.map((path) => `  ${Text.clean(path)}`),
        `  ${Text.clean(finish.command)}`,
        ...files
      ]
  }
}

const millisOf = (timestamp: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(timestamp))
