/**
 * Prodigy inside another Effect program: a job over a list, with an agent of one's own.
 *
 * The agent here is a function, so nothing needs to be installed; shell steps run for real, in real git worktrees. Run it
 * with `npm run example:embed`, which prints what the job did to a repository in a temporary folder.
 */
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Agent } from "@prodigy/core/agent/Agent"
import * as ProcessesNode from "@prodigy/core/agent/Processes/Node"
import * as ReaperNode from "@prodigy/core/agent/Reaper/Node"
import * as Shell from "@prodigy/core/agent/Shell"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as Usage from "@prodigy/core/domain/Usage"
import * as Approval from "@prodigy/core/engine/Approval"
import { MapReduce } from "@prodigy/core/engine/MapReduce"
import * as Prodigy from "@prodigy/core/engine/Prodigy"
import { Progress } from "@prodigy/core/engine/Progress"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as CompressionNode from "@prodigy/core/storage/Compression/Node"
import * as DiskSpaceNode from "@prodigy/core/storage/DiskSpace/Node"
import * as DiskSyncNode from "@prodigy/core/storage/DiskSync/Node"
import * as ProcessTableNode from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as GitWorkspace from "@prodigy/core/workspace/GitWorkspace"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

/** An agent that writes a poem into the directory it is given; its cost is counted like any other's. */
const poet = Layer.effect(
  Agent,
  Effect.map(FileSystem.FileSystem, (fs) =>
    Agent.of({
      check: Effect.succeed({ version: "1.0.0" }),
      run: (request) =>
        Effect.gen(function* () {
          yield* Effect.orDie(fs.writeFileString(`${request.cwd}/poem.txt`, `${request.prompt}\n`, { flag: "a" }))
          return {
            outcome: { _tag: "Succeeded" },
            result: "A poem.",
            agentSessionId: null,
            usage: { ...Usage.none, output_tokens: 10, usd: 0.01 },
            tail: "",
            durationMillis: 0
          } as const
        })
    })
  )
)

const workflow = `
name: poems
mode: mapreduce
map:
  input: { items: [{ about: rain }, { about: snow }, { about: wind }] }
  item_id: about
  max_parallel: 1
  agent_template:
    - claude: "A poem about \${item.about}"
    - shell: grep -q "\${item.about}" poem.txt
`

const program = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-embed-" })
  const project = `${folder}/project`
  yield* Command.exitCode(Command.make("git", "init", "--quiet", project))
  yield* Command.exitCode(Command.make("git", "-C", project, "config", "user.name", "Example"))
  yield* Command.exitCode(Command.make("git", "-C", project, "config", "user.email", "example@example.com"))
  yield* Command.exitCode(Command.make("git", "-C", project, "commit", "--quiet", "--allow-empty", "-m", "start"))

  const report = yield* Effect.gen(function* () {
    const mapReduce = yield* MapReduce
    const progress = yield* Progress
    yield* Effect.forkScoped(Stream.runForEach(progress.events, ({ event }) => Console.log(`  ${event.event_type}`)))
    const plan = yield* mapReduce.plan({
      workflowPath: "poems.yml",
      workflowText: workflow,
      projectPath: project,
      maxParallel: null,
      base: null,
      approve: "yes",
      parameters: {},
      waitsForQuota: true
    })
    return yield* mapReduce.run(plan)
  }).pipe(Effect.scoped, Effect.provide(layer(`${folder}/storage`)))

  yield* Console.log(
    `${report.status}: ${report.counts.merged} of ${report.total} merged, $${report.usage.usd.toFixed(2)}`
  )
  yield* Console.log(yield* fs.readFileString(`${project}/poem.txt`))
})

/** All of Prodigy over this machine's files, processes and git, with the agent above. */
const layer = (root: string) =>
  Prodigy.layer.pipe(
    Layer.provideMerge(Prodigy.layerStores),
    Layer.provide([poet, Approval.layerNobody, Shell.layer, GitWorkspace.layer]),
    Layer.provide([ProcessesNode.layer({ environment: process.env }), ReaperNode.layer, Git.layer]),
    Layer.provide([AtomicFile.layer, ProdigyHome.layer({ root })]),
    Layer.provide(AtomicFile.layer),
    Layer.provide([
      IdGenerator.layer,
      ProcessTableNode.layer,
      DiskSpaceNode.layer,
      DiskSyncNode.layer,
      CompressionNode.layer,
      GitNode.layer
    ]),
    Layer.provide(NodeContext.layer)
  )

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(NodeContext.layer)))
