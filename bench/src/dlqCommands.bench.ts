/**
 * What looking at a large queue of dead letters costs, as a person sees it: whole commands, from the shell and back.
 *
 * Question: time and memory of `dlq stats`, `dlq analyze`, `dlq list --limit 50` and `dlq inspect` on a queue of 10 000 letters
 * of about 3 kB, against the same on 10 letters and against `prodigy --version`. Medians of 5; the first run of each is
 * warm-up. Time is of the clock, CPU and peak memory are what the process says of itself at its exit.
 *
 * Run after `npm run build`: node --conditions=@prodigy/source --import tsx bench/src/dlqCommands.bench.ts [letters]
 */
import { NodeContext } from "@effect/platform-node"
import * as AgentId from "@prodigy/core/domain/AgentId"
import * as DeadLetter from "@prodigy/core/domain/DeadLetter"
import * as ErrorSignature from "@prodigy/core/domain/ErrorSignature"
import * as Failure from "@prodigy/core/domain/Failure"
import * as JobId from "@prodigy/core/domain/JobId"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DeadLetterIndex from "@prodigy/core/storage/DeadLetterIndex"
import * as JsonDocument from "@prodigy/core/storage/JsonDocument"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const total = Number(process.argv[2] ?? 10_000)
const runs = 5
const prodigy = join(dirname(fileURLToPath(import.meta.url)), "../../packages/cli/bin/prodigy.js")
const folder = realpathSync(mkdtempSync(join(tmpdir(), "prodigy-bench-")))
const job = JobId.fromTime(0, 1)

const causes = [
  "npm test: exit code 1: expected 3 to equal 4",
  "TypeError: Cannot read properties of undefined (reading 'map') at src/a.ts:12:4",
  "connect ECONNREFUSED 127.0.0.1:5432",
  "The step did not end within 600000 ms and was killed.",
  "src/module.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'."
]

const letter = (index: number): DeadLetter.DeadLetter => {
  const failure = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, causes[index % causes.length] ?? "", {
    step: "npm test",
    output_tail: "x".repeat(2_000)
  })
  return DeadLetter.append(
    undefined,
    { index, id: ItemId.make(`src/module-${index}/index.ts`), data: { path: `src/module-${index}/index.ts` } },
    DeadLetter.attempt({
      failure,
      agentId: AgentId.fromItem(job, index),
      attempt: 1,
      at: Timestamp.fromMillis(Date.UTC(2026, 0, 2) + index * 1_000),
      durationMillis: 1_000
    }),
    ErrorSignature.fromFailure(failure),
    { branch_name: `prodigy-${job}_agent_${index}` }
  )
}

/** A repository whose latest job has so many dead letters, as a run leaves them. */
const prepare = (count: number) =>
  Effect.gen(function* () {
    const project = join(folder, `project-${count}`)
    mkdirSync(project)
    execFileSync("git", ["init", "--quiet", project])
    const author = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    execFileSync("git", ["-C", project, ...author, "commit", "--quiet", "--allow-empty", "--message=start"])
    const rootCommit = execFileSync("git", ["-C", project, "rev-parse", "HEAD"], { encoding: "utf8" }).trim()
    const home = yield* ProdigyHome.ProdigyHome
    const repo = yield* home.claimRepoName({ path: project, rootCommit })
    const paths = home.repo(repo).job(job)
    mkdirSync(paths.deadLetters, { recursive: true })
    const document = JsonDocument.make(DeadLetter.DeadLetter, "a dead letter")
    const lines: Array<string> = []
    for (let index = 0; index < count; index++) {
      const one = letter(index)
      writeFileSync(paths.deadLetter(one.item_id), yield* document.encode(one))
      lines.push(yield* DeadLetterIndex.lineOf(one))
    }
    writeFileSync(paths.deadLetterIndex, lines.map((line) => `${line}\n`).join(""))
    return project
  })

const report =
  "process.on('exit',()=>{const u=process.resourceUsage();process.stderr.write('\\nusage '+JSON.stringify({cpu:(u.userCPUTime+u.systemCPUTime)/1000,rss:u.maxRSS/1024}))})"

const once = (args: ReadonlyArray<string>) => {
  const start = performance.now()
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(report)}`, prodigy, ...args],
    { env: { ...process.env, PRODIGY_HOME: join(folder, "home"), NO_COLOR: "1" }, encoding: "utf8" }
  )
  const millis = performance.now() - start
  if (status !== 0) throw new Error(`prodigy ${args.join(" ")} ended with ${status}: ${stderr}`)
  const usage: unknown = JSON.parse(stderr.slice(stderr.lastIndexOf("usage ") + 6))
  return { millis, ...(usage as { readonly cpu: number; readonly rss: number }) }
}

const median = (values: ReadonlyArray<number>): number =>
  Math.round([...values].sort((a, b) => a - b)[values.length >> 1] ?? 0)

const measure = (args: ReadonlyArray<string>) => {
  once(args)
  const all = Array.from({ length: runs }, () => once(args))
  return {
    ms: median(all.map(({ millis }) => millis)),
    cpu_ms: median(all.map(({ cpu }) => cpu)),
    rss_mb: median(all.map(({ rss }) => rss))
  }
}

const commands = [
  ["dlq", "stats"],
  ["dlq", "analyze"],
  ["dlq", "list", "--limit", "50"],
  ["dlq", "inspect", "src/module-7/index.ts"]
]

try {
  const layer = ProdigyHome.layer({ root: join(folder, "home") }).pipe(
    Layer.provideMerge(AtomicFile.layer),
    Layer.provide(NodeContext.layer)
  )
  const [large, small] = await Effect.runPromise(Effect.provide(Effect.all([prepare(total), prepare(10)]), layer))
  const floor = measure(["--version"])
  const results = commands.map((args) => {
    const at = { large: measure([...args, "--path", large]), small: measure([...args, "--path", small]) }
    return { command: args.join(" "), ...at, ratio: Number((at.large.ms / at.small.ms).toFixed(2)) }
  })
  console.log(JSON.stringify({ bench: "dlqCommands", node: process.version, letters: total, floor, results }, null, 2))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
