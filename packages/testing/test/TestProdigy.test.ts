import { assert, describe, it } from "@effect/vitest"
import type { Origin } from "@prodigy/core/agent/Origin"
import { Inspect } from "@prodigy/core/engine/Inspect"
import { Runner } from "@prodigy/core/engine/Runner"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const hour = 3_600_000

const workflow = `
name: docs
mode: mapreduce
setup:
  - shell: list modules
    capture: modules
map:
  input: modules.json
  max_parallel: 3
  retry: { attempts: 3, initial_delay: 30s }
  agent_template:
    - claude: "Document \${item}"
      id: write
      timeout: 10m
    - shell: check "\${item}"
      retry: 2
reduce:
  - shell: summarize
    env: { DONE: "\${map.successful}" }
`

const items = ["a.ts", "b.ts", "c.ts", "d.ts"]

const writes = ScriptedAgent.succeeds({
  cost: 0.25,
  takes: "2 minutes",
  says: "documented",
  writes: ({ origin }) => ({ [`docs/${origin.item?.id}.md`]: "# Docs\n" })
})

const summarizes = ScriptedShell.steps({
  summarize: ({ env }) => ScriptedShell.succeeds({ writes: { SUMMARY: `${env["DONE"]} done\n` } })
})

const docsOf = (...indexes: ReadonlyArray<number>) =>
  Object.fromEntries(indexes.map((index) => [`docs/item_${index}.md`, "# Docs\n"]))

describe("TestProdigy.run", () => {
  it.effect("runs a whole job and tells what came of it", () =>
    Effect.gen(function* () {
      const report = yield* TestProdigy.run(workflow, {
        items,
        agent: writes,
        shell: summarizes,
        files: { README: "hi" }
      })
      assert.deepStrictEqual([report.ended, report.status, report.total], ["completed", "Completed", 4])
      assert.strictEqual(report.counts.merged, 4)
      assert.strictEqual(report.cost, 1)
      assert.deepStrictEqual([report.deadLetters, report.violations], [[], []])
      assert.deepStrictEqual(
        report.items.map(({ data }) => data),
        items
      )
      const { "modules.json": list, ...files } = report.files
      assert.deepStrictEqual(files, { README: "hi", ...docsOf(0, 1, 2, 3), SUMMARY: "4 done\n" })
      assert.strictEqual(list, JSON.stringify(items))
      // Four items of two minutes, three at once.
      assert.strictEqual(Math.floor(report.elapsedMillis / 60_000), 4)
      const types = report.events.map(({ event }) => event.event_type)
      assert.strictEqual(types.filter((type) => type === "agent_completed").length, 4)
      assert.includeMembers(types, ["job_started", "claude_message", "claude_token_usage", "job_completed"])
    })
  )

  it.effect("tells programs what they are started for", () =>
    Effect.gen(function* () {
      const { started } = yield* TestProdigy.run(workflow, {
        items: items.slice(0, 1),
        agent: [ScriptedAgent.fails("no"), writes],
        shell: ScriptedShell.steps({ check: [ScriptedShell.fails("no"), ScriptedShell.succeeds()] })
      })
      const told = started.map(({ origin, program }) => [program, words(origin)])
      assert.deepStrictEqual(told, [
        ["shell", "setup shell: list modules, 1.1"],
        ["agent", "map write of item_0, 1.1"],
        ["agent", "map write of item_0, 2.1"],
        ["shell", 'map shell: check "${item}" of item_0, 2.1'],
        ["shell", 'map shell: check "${item}" of item_0, 2.2'],
        ["shell", "reduce shell: summarize, 1.1"]
      ])
    })
  )

  it.effect("waits for a quota of an hour in no time, and counts it as nobody's failure", () =>
    Effect.gen(function* () {
      const { fails, quota } = ScriptedAgent
      const before = yield* Clock.currentTimeMillis
      const report = yield* TestProdigy.run(workflow, {
        items,
        agent: ScriptedAgent.items(
          { item_3: [fails("no", { cost: 0.1 }), fails("no"), quota({ resetsIn: "1 hour" }), fails("never")] },
          writes
        )
      })
      assert.deepStrictEqual(
        report.deadLetters.map(({ failure_count, item_id }) => [item_id, failure_count]),
        [["item_3", 3]]
      )
      assert.deepStrictEqual([report.ended, report.counts.merged], ["completed", 3])
      assert.closeTo(report.cost, 0.85, 1e-9)
      assert.isAbove(report.elapsedMillis, hour)
      assert.strictEqual(report.events.filter(({ event }) => event.event_type === "quota_reached").length, 1)
      // The clock of the test has not moved.
      assert.strictEqual(yield* Clock.currentTimeMillis, before)
    })
  )

  it.effect("ends an agent that hangs at its time limit, and keeps what it wrote", () =>
    Effect.gen(function* () {
      const { deadLetters, elapsedMillis, files } = yield* TestProdigy.run(
        workflow.replace("attempts: 3", "attempts: 1"),
        { items, agent: ScriptedAgent.items({ item_1: ScriptedAgent.hangs({ writes: { half: "." } }) }, writes) }
      )
      const [letter] = deadLetters
      assert.deepStrictEqual(letter?.failure_history[0].cause, {
        error_type: "Timeout",
        timeout_ms: 600_000,
        scope: "step"
      })
      assert.isDefined(letter?.worktree_artifacts.uncommitted_changes)
      assert.isAtLeast(elapsedMillis, 600_000)
      assert.isUndefined(files["half"])
    })
  )

  it.effect("merges what an agent commits by itself, and keeps what it commits before it fails", () =>
    Effect.gen(function* () {
      const deeds = { writes: { "by/agent": "1" }, commits: "Document it" }
      const job = yield* TestProdigy.make(workflow, {
        items: items.slice(0, 2),
        agent: ScriptedAgent.items(
          { item_0: ScriptedAgent.succeeds(deeds) },
          ScriptedAgent.fails("no", { ...deeds, nature: "lasting" })
        )
      })
      const { deadLetters, files } = yield* job.run()
      assert.strictEqual(files["by/agent"], "1")
      const messages = MemoryWorkspace.history(yield* gitOf(job), "refs/heads/main").map(({ message }) => message)
      assert.include(messages, "Document it")
      assert.match(deadLetters[0]?.worktree_artifacts.branch_name ?? "", /agent_1/)
    })
  )

  it.effect("gives items to a workflow that lists them by a command", () =>
    Effect.gen(function* () {
      const listing = "mode: mapreduce\nmap: { input: { command: git ls-files }, agent_template: [shell: work] }"
      const report = yield* TestProdigy.run(listing, { items })
      assert.deepStrictEqual(
        report.items.map(({ data }) => data),
        items
      )
      const scripted = yield* TestProdigy.run(listing, {
        shell: ScriptedShell.steps({ input: ScriptedShell.succeeds({ prints: "one\ntwo\n" }) })
      })
      assert.deepStrictEqual(
        scripted.items.map(({ data }) => data),
        ["one", "two"]
      )
    })
  )

  it.effect(
    "leaves the work on its branch when the merge is not approved, and stops at a quota when told not to wait",
    () =>
      Effect.gen(function* () {
        const refused = yield* TestProdigy.run(workflow, { items, agent: writes, approve: false })
        assert.deepStrictEqual([refused.ended, refused.report?.finish?.outcome], ["completed", "waiting"])
        assert.deepStrictEqual(Object.keys(refused.files), ["modules.json"])
        const agent = ScriptedAgent.quota({ resetsIn: "2 hours" })
        const paused = yield* TestProdigy.run(workflow, { items, agent, waitsForQuota: false })
        assert.deepStrictEqual([paused.ended, paused.status], ["paused", "Paused"])
        assert.isBelow(paused.elapsedMillis, hour)
      })
  )

  it.effect("reports the failure of a workflow as one", () =>
    Effect.gen(function* () {
      const shell = ScriptedShell.steps({ "list modules": ScriptedShell.fails("no network", { exitCode: 7 }) })
      const report = yield* TestProdigy.run(workflow, { items, shell })
      assert.deepStrictEqual([report.ended, report.status], ["failed", "Failed"])
      assert.deepStrictEqual(report.failure?.cause, { error_type: "CommandFailed", exit_code: 7 })
      assert.match(report.failure?.message ?? "", /no network/)
    })
  )
})

describe("TestProdigy.make", () => {
  it.effect("goes on where an agent was when the machine was switched off", () =>
    Effect.gen(function* () {
      const job = yield* TestProdigy.make(workflow, {
        items,
        agent: ScriptedAgent.items({ item_2: [ScriptedAgent.crashes({ takes: "1 minute" }), writes] }, writes),
        shell: summarizes
      })
      const crashed = yield* job.run()
      assert.deepStrictEqual([crashed.ended, crashed.status, crashed.report], ["crashed", "Interrupted", null])
      assert.isBelow(crashed.counts.merged, 4)
      const report = yield* job.resume()
      assert.deepStrictEqual([report.ended, report.counts.merged], ["completed", 4])
      assert.strictEqual(report.files["SUMMARY"], "4 done\n")
    })
  )

  it.effect("loses nothing by a power cut at any of some calls, whatever the disk keeps", () =>
    Effect.gen(function* () {
      const options = { items, agent: writes, shell: summarizes }
      const { calls, files } = yield* TestProdigy.run(workflow, options)
      for (const [index, unsynced] of (["lost", "kept", 7] as const).entries()) {
        const job = yield* TestProdigy.make(workflow, options)
        const crashed = yield* job.run({ crashAt: Math.floor((calls * (index + 1)) / 4), unsynced })
        assert.strictEqual(crashed.ended, "crashed")
        const report = yield* job.goOn()
        assert.deepStrictEqual([report.ended, report.files, report.violations], ["completed", files, []])
        assert.strictEqual(MemoryWorkspace.history(yield* gitOf(job), "refs/heads/main").filter(isMerge).length, 4)
      }
    })
  )

  it.effect("starts anew when the crash came before the first record, and has nothing to do after the end", () =>
    Effect.gen(function* () {
      const job = yield* TestProdigy.make(workflow, { items, agent: writes })
      const crashed = yield* job.run({ crashAt: 3 })
      assert.deepStrictEqual([crashed.ended, crashed.session], ["crashed", null])
      assert.strictEqual((yield* Effect.flip(job.resume()))._tag, "NothingToResume")
      assert.strictEqual((yield* job.goOn()).ended, "completed")
      const again = yield* job.goOn()
      assert.deepStrictEqual([again.ended, again.report, again.started], ["completed", null, []])
    })
  )

  it.effect("pauses in good order on an interruption, and is found interrupted after a kill", () =>
    Effect.gen(function* () {
      const job = yield* TestProdigy.make(workflow, { items, agent: writes })
      const paused = yield* job.run({ interruptAfter: "1 minute" })
      assert.deepStrictEqual([paused.ended, paused.status, paused.elapsedMillis], ["interrupted", "Paused", 60_000])
      const killed = yield* job.resume({ killAfter: "1 minute" })
      assert.deepStrictEqual([killed.ended, killed.status, killed.elapsedMillis], ["crashed", "Interrupted", 60_000])
      const report = yield* job.resume()
      assert.deepStrictEqual([report.ended, report.counts.merged], ["completed", 4])
      assert.strictEqual(report.started.filter(({ origin }) => origin.phase === "setup").length, 0)
    })
  )

  it.effect("tries dead letters again with an agent that works by now", () =>
    Effect.gen(function* () {
      const agent = ScriptedAgent.items({ item_0: [1, 2, 3].map(() => ScriptedAgent.fails("no")) }, writes)
      const job = yield* TestProdigy.make(workflow, { items, agent })
      assert.strictEqual((yield* job.run()).deadLetters.length, 1)
      const report = yield* job.retryDeadLetters({ agent: ScriptedAgent.items({ item_0: [writes] }) })
      assert.deepStrictEqual([report.ended, report.deadLetters], ["completed", []])
      assert.strictEqual(report.files["docs/item_0.md"], "# Docs\n")
      assert.strictEqual((yield* Effect.flip(job.retryDeadLetters()))._tag, "NothingToRetry")
    })
  )

  it.effect("goes on with a standard workflow at the step where it was", () =>
    Effect.gen(function* () {
      const standard = "- shell: build\n- shell: test\n- shell: publish\n"
      const job = yield* TestProdigy.make(standard, {
        shell: ScriptedShell.steps({ test: [ScriptedShell.crashes(), ScriptedShell.succeeds()] })
      })
      assert.strictEqual((yield* job.run()).ended, "crashed")
      const report = yield* job.resume()
      assert.deepStrictEqual([report.ended, report.status, report.total], ["completed", "Completed", null])
      assert.deepStrictEqual(
        report.started.map(({ origin }) => origin.step),
        ["shell: test", "shell: publish"]
      )
    })
  )

  it.effect("gives the services of a process of its own to any program", () =>
    Effect.gen(function* () {
      const job = yield* TestProdigy.make(workflow, { items, agent: writes })
      yield* job.run()
      const listed = yield* job.use(
        Effect.flatMap(Inspect, (inspect) => inspect.session({ projectPath: TestProdigy.places.project, id: "latest" }))
      )
      assert.deepStrictEqual([listed.shown, (yield* job.state).counts.merged], ["Completed", 4])
    })
  )
})

describe("a seed", () => {
  const chance = ScriptedAgent.chance([
    [5, writes],
    [3, ScriptedAgent.fails("by chance", { takes: ["1 second", "1 hour"], cost: 0.1 })],
    [1, ScriptedAgent.hangs()],
    [1, ScriptedAgent.quota({ resetsIn: "10 minutes" })]
  ])
  const many = Array.from({ length: 8 }, (_, index) => `${index}.ts`)
  const facts = (report: TestProdigy.Report) => ({ ...report, report: null })

  it.effect("gives the same run each time, and another seed another one", () =>
    Effect.gen(function* () {
      const run = (seed: number) => TestProdigy.run(workflow, { items: many, agent: chance, seed })
      const first = yield* run(1)
      assert.deepStrictEqual(facts(yield* run(1)), facts(first))
      assert.notStrictEqual((yield* run(2)).elapsedMillis, first.elapsedMillis)
    })
  )

  it.effect("chooses by item and attempt, however many run at once", () =>
    Effect.gen(function* () {
      // Without the quota, after which what is tried again is another attempt.
      const agent = ScriptedAgent.chance([
        [2, writes],
        [3, ScriptedAgent.fails("by chance", { takes: ["1 second", "1 hour"] })]
      ])
      const letters = (maxParallel: number) =>
        Effect.map(TestProdigy.run(workflow, { items: many, agent, maxParallel, seed: 5 }), ({ deadLetters }) =>
          deadLetters.map(({ item_id }) => item_id)
        )
      const alone = yield* letters(1)
      assert.isNotEmpty(alone)
      assert.isBelow(alone.length, many.length)
      assert.deepStrictEqual(yield* letters(8), alone)
    })
  )
})

describe("a test that makes no sense", () => {
  const messageOf = (text: string, options: TestProdigy.Options) =>
    Effect.map(Effect.flip(TestProdigy.run(text, options)), ({ _tag, message }) => `${_tag}: ${message}`)

  it.effect("is told that the workflow is not valid, and where", () =>
    Effect.gen(function* () {
      assert.match(yield* messageOf("mode: mapreduce\nmap: {}", {}), /^WorkflowInvalid: workflow\.yml:2:\d+: /)
    })
  )

  it.effect("is told of an item that is not there", () =>
    Effect.gen(function* () {
      const agent = ScriptedAgent.items({ item_33: ScriptedAgent.fails("no") }, writes)
      assert.strictEqual(
        yield* messageOf(workflow, { items, agent }),
        'ScriptMistake: The script of the agent does not fit: it names item "item_33", which is not there. Did you mean "item_3"?'
      )
    })
  )

  it.effect("is told of a step that is not there, before anything is run", () =>
    Effect.gen(function* () {
      const shell = ScriptedShell.steps({ "list module": [], chek: ScriptedShell.fails("no") })
      assert.match(yield* messageOf(workflow, { items, shell }), /shell does not fit: it names step "chek"/)
    })
  )

  it.effect("is told of a list with no answer left, and does not take it for a failure of the item", () =>
    Effect.gen(function* () {
      const agent = ScriptedAgent.items({ item_1: [ScriptedAgent.fails("no"), ScriptedAgent.fails("no")] }, writes)
      assert.strictEqual(
        yield* messageOf(workflow, { items, agent }),
        'ScriptMistake: The script of the agent does not fit: no answer is left for "write" of item_1, attempt 3: its list has 2, and this is time 3.'
      )
    })
  )

  it.effect("is told of a program that nothing ends", () =>
    Effect.gen(function* () {
      const shell = ScriptedShell.steps({ summarize: ScriptedShell.hangs() })
      const message = yield* messageOf(workflow, { items, shell })
      assert.match(message, /"shell: summarize" of reduce hangs, and nothing ends it/)
    })
  )

  it.effect("is told of items for a workflow that has its own", () =>
    Effect.gen(function* () {
      const own = "mode: mapreduce\nmap: { input: { items: [1] }, agent_template: [shell: x] }"
      assert.match(yield* messageOf(own, { items }), /items cannot be given to a workflow that lists its own/)
      assert.match(yield* messageOf("- shell: x", { items }), /a workflow that has none/)
      const csv = "mode: mapreduce\nmap: { input: a.csv, agent_template: [shell: x] }"
      assert.match(yield* messageOf(csv, { items }), /that reads csv: give the file instead/)
    })
  )

  it("is told of a duration or of chances that are none, where they are written", () => {
    // @ts-expect-error a duration is checked by its type as well
    assert.throws(() => ScriptedAgent.succeeds({ takes: "1 huor" }), /Duration|duration/)
    assert.throws(() => ScriptedAgent.chance([[0, writes]]), /one above 0/)
  })
})

describe("TestProdigy.layer", () => {
  it.effect("is the whole graph in one line, and waits take no time", () =>
    Effect.gen(function* () {
      const runner = yield* Runner
      const plan = yield* runner.plan({
        workflowPath: "workflow.yml",
        workflowText: workflow,
        projectPath: TestProdigy.places.project,
        maxParallel: null,
        base: null,
        approve: "yes",
        parameters: {},
        waitsForQuota: true,
        iterations: null,
        values: null
      })
      const before = yield* Clock.currentTimeMillis
      const report = yield* runner.run(plan)
      assert.strictEqual(report.status, "completed")
      yield* Effect.sleep("1 day")
      assert.isAbove((yield* Clock.currentTimeMillis) - before, 24 * hour)
      const git = yield* MemoryWorkspace.repository
      assert.containsAllKeys(MemoryWorkspace.history(git, "refs/heads/main")[0]?.tree, docsOf(0, 1))
      const machine = yield* SimulatedMachine.SimulatedMachine
      assert.isAbove(machine.count(), 100)
    }).pipe(Effect.provide(TestProdigy.layer({ files: { "modules.json": `["a", "b"]` } }, { agent: writes })))
  )
})

describe("TestProdigy.scenario", () => {
  const explore = (expected: number, options: Partial<CrashExplorer.Options>) => {
    const scenario = TestProdigy.scenario(workflow, {
      items: items.slice(0, 2),
      agent: writes,
      shell: summarizes,
      check: ({ counts }) => assert.strictEqual(counts.merged, expected)
    })
    return CrashExplorer.explore(scenario, { ...CrashExplorer.exhaustive, chances: 0, ...options })
  }

  it.effect("is a workflow that is crashed and gone on with", () =>
    Effect.gen(function* () {
      const { points, violations } = yield* explore(2, { first: 150, every: 300 })
      assert.deepStrictEqual(violations, [])
      assert.isAbove(points, 1)
    })
  )

  it.effect("has violations when what must be true is not", () =>
    Effect.gen(function* () {
      const { violations } = yield* explore(3, { every: 10_000, violationsMax: 1 })
      assert.match(violations[0]?.cause ?? "", /expected 2 to equal 3/)
    })
  )

  it.effect("has a violation when the workflow is not valid", () =>
    Effect.gen(function* () {
      const { violations } = yield* CrashExplorer.explore(TestProdigy.scenario("map: {}", { check: () => {} }))
      assert.match(violations[0]?.cause ?? "", /workflow\.yml:1:\d+: /)
    })
  )
})

const words = ({ attempt, item, phase, step, tryNumber }: Origin): string =>
  `${phase} ${step}${item === null ? "" : ` of ${item.id}`}, ${attempt}.${tryNumber}`

const gitOf = (job: TestProdigy.TestJob) => job.use(MemoryWorkspace.repository)

const isMerge = ({ message }: MemoryWorkspace.Commit): boolean => /^Merge \S+ \(item_\d\)/.test(message)
