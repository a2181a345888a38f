import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

const thousandFiles = Sandbox.files(1000, (index) => `data/${index % 20}/file-${index}.txt`)

const count = (text: string) => (text === "" ? 0 : text.split("\n").length)

const worktreesLeft = (repository: string) =>
  count(sandbox.git(repository, "worktree", "list")) -
  1 +
  Sandbox.tree(join(sandbox.home, "worktrees")).filter((name) => name.includes("mapreduce-agent")).length

describe("prodigy run at scale", () => {
  it("merges 200 items out of 8 worktrees, each by one commit, and leaves nothing behind", async () => {
    const items = Array.from({ length: 200 }, (_, index) => ({
      id: `n${index}`,
      file: `data/${index % 20}/file-${index}.txt`
    }))
    const repository = sandbox.repository("shop", { ...thousandFiles, "items.json": JSON.stringify(items) })
    const side = join(sandbox.folder, "side.log")
    const workflow = sandbox.file(
      "edit.yml",
      `name: edit
mode: mapreduce
env: { SIDE: ${side}, AGENTS: "${sandbox.home}/worktrees" }
map:
  input: items.json
  item_id: id
  max_parallel: 8
  agent_template:
    - shell: |
        echo "changed by \${item.id}" >> "\${item.file}"
        ls -d "$AGENTS"/*/mapreduce-agent-* | wc -l >> "$SIDE"
reduce:
  - shell: |
      git -C "$PROJECT_ROOT" rev-parse HEAD > "$SIDE.head"
      git -C "$PROJECT_ROOT" status --porcelain > "$SIDE.status"
`
    )
    const before = sandbox.git(repository, "rev-parse", "HEAD")
    const ended = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])

    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.strictEqual(count(sandbox.git(repository, "log", "--merges", "--grep=^Prodigy-Item:", "--format=%H")), 200)
    const trailers = sandbox.git(
      repository,
      "log",
      "--merges",
      "--format=%(trailers:key=Prodigy-Item,valueonly,separator=)"
    )
    assert.strictEqual(new Set(trailers.split("\n").filter((line) => line !== "")).size, 200)
    for (const { file, id } of items) {
      assert.include(readFileSync(join(repository, file), "utf8"), `changed by ${id}\n`)
    }
    // The user's checkout stood still until the merge.
    assert.strictEqual(readFileSync(`${side}.head`, "utf8").trim(), before)
    assert.strictEqual(readFileSync(`${side}.status`, "utf8"), "")
    assert.strictEqual(sandbox.git(repository, "status", "--porcelain"), "")
    const most = Math.max(...readFileSync(side, "utf8").trim().split("\n").map(Number))
    assert.isAtMost(most, 8)
    assert.isAbove(most, 1)
    assert.strictEqual(worktreesLeft(repository), 0)
    assert.strictEqual(sandbox.git(repository, "branch", "--list", "prodigy*"), "")
    assert.notMatch(sandbox.git(repository, "fsck", "--full", "--no-dangling"), /error|missing|corrupt/)
    const report = JSON.parse(ended.stdout)
    assert.strictEqual(report.counts.merged, 200)
    assert.strictEqual(report.finish.outcome, "merged")
  })

  it("merges 180 of 200 when 20 fail in different ways, and keeps and accounts for the work of each", async () => {
    const ways = ["exit", "timeout", "commit", "conflict", "signal"] as const
    const items = Array.from({ length: 200 }, (_, index) => {
      const ten = Math.floor(index / 10)
      const way = ways[ten % 5]!
      return {
        id: `n${index}`,
        file: `data/${index % 20}/file-${index}.txt`,
        // In each ten the ninth fails; the tenth is the one that a conflicting ninth conflicts with.
        way: index % 10 === 8 ? way : index % 10 === 9 && way === "conflict" ? "rival" : "none",
        shared: `shared-${ten}.txt`
      }
    })
    const failing = items.filter((item) => item.way !== "none" && item.way !== "rival")
    const repository = sandbox.repository("shop", {
      ...thousandFiles,
      ...Sandbox.files(20, (index) => `shared-${index}.txt`),
      "items.json": JSON.stringify(items)
    })
    const side = join(sandbox.folder, "side")
    mkdirSync(side)
    const workflow = sandbox.file(
      "edit.yml",
      `name: edit
mode: mapreduce
env: { SIDE: ${side} }
map:
  input: items.json
  item_id: id
  max_parallel: 8
  agent_template:
    - shell: |
        echo "changed by \${item.id}" >> "\${item.file}"
        case "\${item.way}" in
          exit) echo "no such thing" >&2; exit 7 ;;
          timeout) sleep 600 ;;
          signal) kill -KILL $$ ;;
          conflict)
            echo "\${item.id}" > "\${item.shared}"
            touch "$SIDE/\${item.shared}"
            until git show "prodigy-\${session.id}:\${item.shared}" | grep -q rival; do sleep 0.1; done
            ;;
          rival)
            until [ -e "$SIDE/\${item.shared}" ]; do sleep 0.1; done
            echo rival > "\${item.shared}"
            ;;
        esac
      name: edit
      timeout: 20s
    - shell: "true"
      name: commit
      when: "item.way == 'commit'"
      commit_required: true
`
    )
    const ended = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])

    assert.strictEqual(ended.code, 3, ended.stderr)
    const report = JSON.parse(ended.stdout)
    assert.strictEqual(report.counts.merged, 180)
    assert.strictEqual(report.counts.dead_lettered, 20)
    assert.strictEqual(count(sandbox.git(repository, "log", "--merges", "--grep=^Prodigy-Item:", "--format=%H")), 180)
    assert.strictEqual(worktreesLeft(repository), 0)

    const expected = {
      exit: { error_type: "CommandFailed", exit_code: 7 },
      timeout: { error_type: "Timeout" },
      commit: { error_type: "CommitValidationFailed" },
      conflict: { error_type: "MergeConflict" },
      signal: { error_type: "CommandFailed", exit_code: 137 }
    } as const
    for (const { file, id, way } of failing) {
      const inspected = await sandbox.prodigy(repository, ["dlq", "inspect", id, "--json"])
      assert.strictEqual(inspected.code, 0, inspected.stderr)
      const letter = JSON.parse(inspected.stdout)
      const [attempt] = letter.failure_history
      const wanted = expected[way as keyof typeof expected]
      assert.strictEqual(attempt.error_type, wanted.error_type, id)
      if ("exit_code" in wanted) assert.strictEqual(attempt.exit_code, wanted.exit_code, id)
      const kept = letter.worktree_artifacts
      const ref = way === "conflict" ? `refs/heads/${kept.branch_name}` : kept.uncommitted_changes
      assert.include(sandbox.git(repository, "show", `${ref}:${file}`), `changed by ${id}`)
    }
    // What failed is not on the target branch.
    for (const { file, id } of failing) {
      assert.notInclude(sandbox.git(repository, "show", `main:${file}`), `changed by ${id}`)
    }
  })
})
