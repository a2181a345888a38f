/**
 * What changed between two commits.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { GitError } from "./Git.ts"
import type { Repository } from "./Repository.ts"
import type { Changes } from "./Workspace.ts"

/**
 * See `SessionWorkspace.changes`. A renamed file counts as deleted and added.
 *
 * @since 0.1.0
 * @category getters
 */
export const between = Effect.fnUntraced(function* (
  repository: Repository,
  from: string,
  to: string
): Effect.fn.Return<Changes, GitError> {
  const options = { cwd: repository.root, reads: true }
  const [diff, commits] = yield* Effect.all(
    [
      repository.run(["diff-tree", "-r", "--raw", "--numstat", "--no-renames", "-z", from, to], options),
      repository.run(["rev-list", "--reverse", `${from}..${to}`], options)
    ],
    { concurrency: 2 }
  )
  return { ...parse(diff.stdout), commits: commits.stdout.split("\n").filter(Boolean) }
})

/** Raw records are `:modes ids status NUL path NUL`; those of numstat `insertions TAB deletions TAB path NUL`. */
const parse = (output: string): Omit<Changes, "commits"> => {
  const files: Record<"A" | "D" | "M", Array<string>> = { A: [], D: [], M: [] }
  let insertions = 0
  let deletions = 0
  const fields = output.split("\0")
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] ?? ""
    if (field.startsWith(":")) {
      const status = field.at(-1)
      files[status === "A" || status === "D" ? status : "M"].push(fields[++index] ?? "")
      continue
    }
    const counts = /^(\d+|-)\t(\d+|-)\t/.exec(field)
    // A dash stands for a binary file, which has no lines.
    insertions += Number(counts?.[1] ?? 0) || 0
    deletions += Number(counts?.[2] ?? 0) || 0
  }
  return { filesAdded: files.A, filesModified: files.M, filesDeleted: files.D, insertions, deletions }
}
