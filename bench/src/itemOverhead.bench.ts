/**
 * Wall time per item of a job whose items only write a file: what worktrees, commits and merges cost.
 *
 * 100 items, one at a time, in a repository of 1 000 files. Measured in the same run, interleaved, medians of the
 * rounds:
 * - (a) a shell script that makes a worktree for every item and removes it again;
 * - (b) a shell script that reuses one worktree, resets it between items and merges by plumbing: the least that a
 *   correct tool runs. Like any script it trusts the page cache: it syncs nothing;
 * - `workspace`: the same through the `Workspace` port, which also syncs, verifies every reset and writes its records;
 * - `prodigy run`: the whole command, its start and end included, with the step in a shell and the journal on disk.
 *
 * Run: `node --conditions=@prodigy/source --import tsx bench/src/itemOverhead.bench.ts [rounds] [items] [files] [name]`;
 * `name` measures only the contenders whose name matches it, a regular expression: `'^.b|^prodigy'`.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeContext } from "@effect/platform-node"
import * as AgentId from "@prodigy/core/domain/AgentId"
import { JobId } from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DiskSyncNode from "@prodigy/core/storage/DiskSync/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as GitWorkspace from "@prodigy/core/workspace/GitWorkspace"
import { type AgentWork, Workspace } from "@prodigy/core/workspace/Workspace"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const rounds = Number(process.argv[2] ?? 3)
const items = Number(process.argv[3] ?? 100)
const files = Number(process.argv[4] ?? 1000)

/** Does all items in a fresh repository and answers the milliseconds it took. Another command is one more of these. */
interface Contender {
  readonly name: string
  readonly run: (at: { readonly repo: string; readonly scratch: string }) => Promise<number>
}

const script = (name: string, text: string): Contender => ({
  name,
  run: ({ repo, scratch }) => {
    const path = join(scratch, "run.sh")
    writeFileSync(path, text)
    const started = performance.now()
    execFileSync("sh", [path, String(items), scratch], { cwd: repo, stdio: ["ignore", "ignore", "inherit"] })
    return Promise.resolve(performance.now() - started)
  }
})

const perItem = script(
  "(a) worktree per item",
  `set -e
git branch parent
git worktree add -q "$2/parent" parent
i=0
while [ $i -lt $1 ]; do
  git worktree add -q -b agent-$i "$2/agent-$i" parent
  echo $i > "$2/agent-$i/item-$i.txt"
  git -C "$2/agent-$i" add -A
  git -C "$2/agent-$i" commit -q -m "item $i"
  git -C "$2/parent" merge -q --no-ff -m "Merge $i" agent-$i
  git worktree remove --force "$2/agent-$i"
  git branch -q -d agent-$i 2>/dev/null || git branch -q -D agent-$i
  i=$((i+1))
done
git merge -q --ff-only parent
`
)

const plumbing = script(
  "(b) worktree reused, merged by plumbing",
  `set -e
git branch parent
git worktree add -q --detach "$2/slot" parent
i=0
while [ $i -lt $1 ]; do
  base=$(git rev-parse parent)
  git -C "$2/slot" checkout -q -f -B agent-$i $base
  git -C "$2/slot" clean -q -ffdx
  echo $i > "$2/slot/item-$i.txt"
  git -C "$2/slot" add -A
  git -C "$2/slot" commit -q -m "item $i"
  tip=$(git rev-parse agent-$i)
  tree=$(git merge-tree --write-tree $base $tip)
  merge=$(git commit-tree -p $base -p $tip -m "Merge $i" $tree)
  printf 'update refs/heads/parent %s %s\\ndelete refs/heads/agent-%s %s\\n' $merge $base $i $tip | git update-ref --stdin
  i=$((i+1))
done
git worktree remove --force "$2/slot"
git merge -q --ff-only parent
`
)

const jobId = JobId.make("mapreduce-20260101_000000")

const workspace: Contender = {
  name: "workspace",
  run: ({ repo, scratch }) => {
    const layer = GitWorkspace.layer.pipe(
      Layer.provide(ProdigyHome.layer({ root: join(scratch, "home") })),
      Layer.provide(AtomicFile.layer),
      Layer.provide(DiskSyncNode.layer),
      Layer.provide(Git.layer),
      Layer.provide(GitNode.layer),
      Layer.provide(NodeContext.layer)
    )
    const started = performance.now()
    const job = Effect.gen(function* () {
      const service = yield* Workspace
      const project = yield* service.find(repo)
      const session = yield* service.open({
        project,
        repo: RepoName.make("bench"),
        sessionId: SessionId.fromJob(jobId),
        jobId,
        base: project.head,
        target: project.branch,
        maxParallel: 1
      })
      for (let index = 0; index < items; index++) {
        const work: AgentWork = {
          agentId: AgentId.fromItem(jobId, index),
          itemId: ItemId.make(`item_${index}`),
          itemIndex: index,
          attempt: 1
        }
        const checkout = yield* session.acquire(work)
        writeFileSync(join(checkout.path, `item-${index}.txt`), `${index}\n`)
        const { branch, tip } = yield* session.collect(checkout, work, { autoCommit: true })
        yield* session.release(checkout)
        yield* session.integrate(work, tip ?? "", branch)
      }
      yield* session.syncParent
      yield* session.finish({ approved: "yes" })
      yield* session.clean({ keepParent: false })
    })
    return Effect.runPromise(Effect.scoped(Effect.provide(job, layer))).then(() => performance.now() - started)
  }
}

const command: Contender = {
  name: "prodigy run",
  run: ({ repo, scratch }) => {
    const workflow = join(scratch, "bench.yml")
    const list = Array.from({ length: items }, (_, index) => index).join(", ")
    writeFileSync(
      workflow,
      `name: bench
map:
  input: { items: [${list}] }
  max_parallel: 1
  agent_template:
    - shell: echo \${item} > item-\${item}.txt
`
    )
    const started = performance.now()
    execFileSync(process.execPath, [prodigy, "run", workflow, "--yes"], {
      cwd: repo,
      env: { ...process.env, PRODIGY_HOME: join(scratch, "home") },
      stdio: "ignore"
    })
    return Promise.resolve(performance.now() - started)
  }
}

const prodigy = fileURLToPath(new URL("../../packages/cli/bin/prodigy.js", import.meta.url))

const contenders = [perItem, plumbing, workspace, command].filter(({ name }) =>
  new RegExp(process.argv[5] ?? "").test(name)
)

const prepare = (repo: string): void => {
  for (let index = 0; index < files; index++) {
    mkdirSync(join(repo, `d${index % 25}`), { recursive: true })
    writeFileSync(join(repo, `d${index % 25}`, `f${index}.txt`), `file ${index}\n`)
  }
  execFileSync("sh", [
    "-ec",
    `cd "$1" && git init -q -b main && git config user.name Bench && git config user.email bench@example.org
    git add -A && git commit -q -m init`,
    "sh",
    repo
  ])
}

/** A contender that does not bring all items into the target is not faster, but wrong. */
const check = (name: string, repo: string): void => {
  const merged = execFileSync("git", ["-C", repo, "rev-list", "--merges", "--count", "main"]).toString().trim()
  if (merged !== String(items)) throw new Error(`${name} merged ${merged} of ${items} items`)
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const times = new Map<string, Array<number>>(contenders.map(({ name }) => [name, []]))
/**
 * Removed at the very end: for a minute ext4 gives the place of a removed file to no other, and looks at all of these
 * places whenever it makes one. Removing a round's files made the next worktree of 1 000 files take a second, not 0.1.
 */
const scratches: Array<string> = []
try {
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of contenders) {
      const scratch = mkdtempSync(join(tmpdir(), "prodigy-bench-"))
      scratches.push(scratch)
      const repo = join(scratch, "repo")
      prepare(repo)
      const taken = await run({ repo, scratch })
      check(name, repo)
      times.get(name)?.push(taken / items)
    }
  }
} finally {
  for (const scratch of scratches) rmSync(scratch, { recursive: true, force: true })
}

console.log(`${items} items, ${files} files, ${rounds} rounds, milliseconds per item (median; all rounds)`)
for (const { name } of contenders) {
  const own = times.get(name) ?? []
  const ratios = [perItem, plumbing].flatMap((floor) => {
    const to = times.get(floor.name)
    return to === undefined ? [] : [`${(median(own) / median(to)).toFixed(2)} x ${floor.name.slice(0, 3)}`]
  })
  const rows = own.map((value) => value.toFixed(1)).join(" ")
  console.log(`${name.padEnd(42)} ${median(own).toFixed(1).padStart(7)} ms  ${ratios.join("  ")}  [${rows}]`)
}
