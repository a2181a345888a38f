import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import * as FailurePolicySyntax from "@prodigy/core/workflow/FailurePolicySyntax"
import * as RetrySyntax from "@prodigy/core/workflow/RetrySyntax"
import * as Workflow from "@prodigy/core/workflow/Workflow"
import { shellAt as shell } from "@prodigy/testing/JobSamples"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"

describe("WorkflowFile", () => {
  describe("a valid workflow", () => {
    it("decodes to the exact structure, with every default filled in", () => {
      const { warnings, workflow } = accept(full)
      assert.deepStrictEqual(workflow, fullDecoded)
      assert.deepStrictEqual(warnings, [])
    })

    it("needs no more than an input and a template, and takes its name from the file", () => {
      const { workflow } = accept(minimal, "some/where/fix-imports.yaml")
      assert.strictEqual(workflow.name, "fix-imports")
      assert.strictEqual(workflow.description, null)
      assert.deepStrictEqual(workflow.setup, { steps: [], timeout_ms: null, auto_commit: false, capture_outputs: {} })
      assert.deepStrictEqual(workflow.reduce, { steps: [], timeout_ms: null, auto_commit: true, capture_outputs: {} })
      assert.deepStrictEqual(workflow.map, {
        selection: {
          source: { kind: "path_or_command", text: "items.json" },
          input_format: null,
          json_path: null,
          filter: null,
          sort_by: null,
          distinct: null,
          offset: 0,
          max_items: null,
          item_id: null
        },
        agent_template: [shell("npm test", 4)],
        max_parallel: 10,
        agent_timeout_ms: null,
        auto_commit: true,
        failure_policy: {
          on_item_failure: "dlq",
          handler: null,
          retry: null,
          circuit_breaker: null,
          max_failures: null,
          failure_threshold: null
        }
      })
    })

    it("is what the documentation shows", () => {
      const docs = readFileSync(new URL("../../../../docs/workflow-language.md", import.meta.url), "utf8")
      const example = /```yaml\n([\s\S]*?)```/.exec(docs)?.[1] ?? ""
      const { warnings, workflow } = accept(example)
      assert.deepStrictEqual(warnings, [])
      assert.strictEqual(workflow.map.agent_template.length, 2)
    })

    it("is JSON: its schema encodes it and reads it back", () => {
      const { workflow } = accept(full)
      const text = JSON.stringify(Schema.encodeSync(Workflow.Workflow)(workflow))
      assert.deepStrictEqual(Schema.decodeUnknownSync(Workflow.Workflow)(JSON.parse(text)), workflow)
    })

    it("reads the same with Windows line ends and a byte order mark, at the same places", () => {
      const windows = `\uFEFF${full.replaceAll("\n", "\r\n")}`
      const { workflow } = accept(windows)
      assert.deepStrictEqual(workflow, fullDecoded)
      const [problem] = refuse(`\uFEFF${minimal.replace("input", "imput").replaceAll("\n", "\r\n")}`)
      assert.deepInclude(problem, { line: 2, column: 3 })
      assert.notInclude(problem?.frame, "\r")
    })

    it("takes when checkpoints are made and how many are kept", () => {
      const { workflow } = accept(
        `${minimal}\ncheckpoint: {interval_items: 50, interval_duration: 2m, max_checkpoints: 3, max_age: 1d}`
      )
      const all = { interval_items: 50, interval_duration_ms: 120_000, max_checkpoints: 3, max_age_ms: 86_400_000 }
      assert.deepStrictEqual(workflow.checkpoint, all)
      const some = accept(`${minimal}\ncheckpoint:\n  interval_duration: 30`).workflow.checkpoint
      assert.deepStrictEqual(some, {
        interval_items: null,
        interval_duration_ms: 30_000,
        max_checkpoints: null,
        max_age_ms: null
      })
      for (const wrong of [
        "interval_items: 0",
        "max_checkpoints: 1.5",
        "max_age: soon",
        "interval: 5",
        "max_age: 60d"
      ]) {
        const [problem, ...others] = refuse(`${minimal}\ncheckpoint: {${wrong}}`)
        assert.deepStrictEqual([problem?.line, others.length], [5, 0], wrong)
      }
      refuse(`${minimal}\ncheckpoint: 100`)
    })

    it("ignores x- keys wherever they stand", () => {
      const { warnings, workflow } = accept(`
x-note: {any: [thing, !tagged 1]}
map:
  x-owner: me
  input: items.json
  error_policy: {x-a: 1}
  agent_template:
    - shell: npm test
      x-b: 2
      env: {x-c: 3, A: 1}
      capture: {name: out, x-d: 4}
`)
      assert.deepStrictEqual(warnings, [])
      assert.deepStrictEqual(workflow.map.agent_template[0]?.env, { A: "1" })
    })

    it("follows anchors and aliases", () => {
      const { workflow } = accept(`
x-check: &check
  shell: npm test
  timeout: 10
setup: [*check]
map:
  input: items.json
  agent_template: [*check, {claude: /fix, on_failure: *check}]
`)
      const check = { ...shell("npm test", 5), timeout_ms: 10_000 }
      assert.deepStrictEqual(workflow.setup.steps, [check])
      assert.deepStrictEqual(workflow.map.agent_template[0], { ...check, line: 8 })
      assert.deepStrictEqual(workflow.map.agent_template[1]?.on_failure?.steps, [{ ...check, line: 8 }])
    })

    it("reads ten thousand inline items", () => {
      const items = Array.from({ length: 10_000 }, (_, index) => `    - {path: src/f${index}.ts, size: ${index}}`)
      const { workflow } = accept(`map:\n  input:\n${items.join("\n")}\n  agent_template: [shell: x]\n`)
      assert.strictEqual(inlineItems(workflow).length, 10_000)
      assert.deepStrictEqual(inlineItems(workflow)[9_999], { path: "src/f9999.ts", size: 9999 })
    })
  })

  describe("phases and map", () => {
    it("takes setup and reduce as objects", () => {
      const { warnings, workflow } = accept(`
setup:
  commands: [shell: npm ci]
  timeout: 2m
  auto_commit: true
  capture_outputs: {count: "\${last.output}"}
map: {input: items.json, agent_template: [shell: x]}
reduce: {steps: [shell: report], auto_commit: false}
`)
      assert.deepStrictEqual(workflow.setup, {
        steps: [shell("npm ci", 3)],
        timeout_ms: 120_000,
        auto_commit: true,
        capture_outputs: { count: "${last.output}" }
      })
      assert.deepStrictEqual(workflow.reduce, {
        steps: [shell("report", 8)],
        timeout_ms: null,
        auto_commit: false,
        capture_outputs: {}
      })
      assert.deepStrictEqual(warnings, [])
    })

    it.each<[string, Workflow.ItemSource]>([
      ["input: src/items.json", { kind: "path_or_command", text: "src/items.json" }],
      ["input: git ls-files '*.ts'", { kind: "path_or_command", text: "git ls-files '*.ts'" }],
      ["input: {command: ls}", { kind: "command", command: "ls" }],
      [
        "input: [a, 1, 1.5, true, ~, [x], {b: ~}]",
        {
          kind: "items",
          items: ["a", 1, 1.5, true, null, ["x"], { b: null }]
        }
      ],
      [
        "input: {items: [{path: a, 3: x}, 2001-01-01, '5']}",
        {
          kind: "items",
          items: [{ path: "a", "3": "x" }, "2001-01-01", "5"]
        }
      ],
      ["input: []", { kind: "items", items: [] }]
    ])("reads %s", (input, source) => {
      assert.deepStrictEqual(accept(inMap(input, "")).workflow.map.selection.source, source)
    })

    it("keeps __proto__ a key like any other", () => {
      const items = inlineItems(accept(inMap('input: [{"__proto__": {x: 1}}]', "")).workflow)
      assert.strictEqual(JSON.stringify(items), '[{"__proto__":{"x":1}}]')
    })

    it.each<[string, number | string]>([
      ["max_parallel: 1", 1],
      ["max_parallel: 1000", 1000],
      ["max_parallel: $PARALLEL", "$PARALLEL"],
      ['max_parallel: "${PARALLEL:-4}"', "${PARALLEL:-4}"]
    ])("reads %s", (option, expected) => {
      assert.strictEqual(accept(inMap(option)).workflow.map.max_parallel, expected)
    })

    it.each<[string, number]>([
      ["agent_timeout_secs: 30", 30_000],
      ["agent_timeout_secs: 0.5", 500],
      ['agent_timeout_secs: "30"', 30_000],
      ["agent_timeout_secs: 30s", 30_000],
      ["agent_timeout_secs: 10m", 600_000],
      ["agent_timeout_secs: 1h30m", 5_400_000],
      ["agent_timeout_secs: 1d", 86_400_000],
      ["agent_timeout_secs: 1500ms", 1500],
      ["timeout_config: {agent_timeout_secs: 600}", 600_000]
    ])("reads %s", (option, millis) => {
      assert.strictEqual(accept(inMap(option)).workflow.map.agent_timeout_ms, millis)
    })

    it.each<[string, string, Partial<Workflow.FailurePolicy>]>([
      [
        "",
        "",
        {
          on_item_failure: "dlq",
          handler: null,
          retry: null,
          circuit_breaker: null,
          max_failures: null,
          failure_threshold: null
        }
      ],
      ["on_item_failure: skip", "", { on_item_failure: "skip" }],
      ["on_item_failure: skip", "on_item_failure: stop", { on_item_failure: "stop" }],
      [
        "error_policy: {max_failures: 5, failure_threshold: 0.5}",
        "max_failures: 2",
        {
          max_failures: 2,
          failure_threshold: 0.5
        }
      ],
      ["max_failures: 5", "error_policy: {failure_threshold: 1}", { max_failures: 5, failure_threshold: 1 }],
      ["continue_on_failure: false", "", { max_failures: 1 }],
      ["", "continue_on_failure: false", { max_failures: 1 }],
      ["max_failures: 5", "continue_on_failure: false", { max_failures: 1 }],
      ["continue_on_failure: false", "max_failures: 5", { max_failures: 5 }],
      ["continue_on_failure: false", "continue_on_failure: true", { max_failures: null }],
      ["continue_on_failure: true", "", { max_failures: null }],
      ["circuit_breaker: {}", "", { circuit_breaker: breaker }],
      [
        "circuit_breaker: {failure_threshold: 9}",
        "error_policy: {circuit_breaker: {timeout: 1m, success_threshold: 1, half_open_requests: 2}}",
        { circuit_breaker: { ...breaker, timeout_ms: 60_000, success_threshold: 1, half_open_requests: 2 } }
      ],
      ["on_item_failure: retry", "", { on_item_failure: "dlq", retry: RetrySyntax.itemDefault }],
      [
        "on_item_failure: retry",
        "retry: 5",
        { retry: { ...RetrySyntax.itemDefault, times: { ...RetrySyntax.itemDefault.times, attempts: 5 } } }
      ],
      ["retry: 5", "retry: false", { retry: null }],
      [
        "",
        "on_item_failure: [shell: mend]",
        { on_item_failure: "dlq", handler: { steps: [shell("mend", 6)], outcome: "dlq" } }
      ],
      ["", "on_item_failure: {shell: mend}", { handler: { steps: [shell("mend", 6)], outcome: "dlq" } }],
      [
        "",
        "on_item_failure: {steps: [shell: mend], outcome: complete}",
        { handler: { steps: [shell("mend", 6)], outcome: "complete" } }
      ]
    ])("takes the failure policy of the top (%s) where map (%s) says nothing", (top, map, expected) => {
      const { workflow } = accept(`${top}\n${inMap(map)}`)
      assert.deepInclude(workflow.map.failure_policy, expected)
    })
  })

  describe("steps", () => {
    it.each<[string, Partial<Workflow.Step>]>([
      ["- /lint ${item}", { action: { kind: "claude", prompt: "/lint ${item}" }, name: "claude: /lint ${item}" }],
      ["- shell: false", { action: { kind: "shell", script: "false", interpreter: null } }],
      [
        "- shell: {command: print(1), interpreter: python3}",
        {
          action: { kind: "shell", script: "print(1)", interpreter: "python3" }
        }
      ],
      [
        "- write_file: {path: a/b, content: ''}",
        {
          action: { kind: "write_file", path: "a/b", content: "", format: "text", mode: 0o644, create_dirs: false },
          name: "write_file: a/b"
        }
      ],
      [
        "- write_file: {path: a, content: x, mode: 0755, format: json, create_dirs: true}",
        {
          action: { kind: "write_file", path: "a", content: "x", format: "json", mode: 0o755, create_dirs: true }
        }
      ],
      [
        '- write_file: {path: a, content: x, mode: "0600"}',
        {
          action: { kind: "write_file", path: "a", content: "x", format: "text", mode: 0o600, create_dirs: false }
        }
      ],
      ["- {shell: x, allow_failure: true}", { allow_failure: true }],
      ["- {shell: x, continue_on_error: true}", { allow_failure: true }],
      ["- {shell: x, cwd: sub}", { working_dir: "sub" }],
      ["- {shell: x, when: item.n > 3}", { when: "item.n > 3" }],
      ["- {shell: x, env: {PY: 3.10, ON: true, S: a b, E: }}", { env: { PY: "3.10", ON: "true", S: "a b", E: "" } }],
      ["- {shell: x, capture: out}", { capture: capture("out") }],
      ["- {shell: x, capture: {name: out, default: ~}}", { capture: { ...capture("out"), default: null } }],
      [
        "- {shell: x, capture: {name: out, default: {a: [1]}}}",
        { capture: { ...capture("out"), default: { a: [1] } } }
      ],
      ["- {shell: x, on_success: {shell: y}}", { on_success: [shell("y", 4)] }],
      [
        "- {shell: x, on_success: [/y, shell: z]}",
        {
          on_success: [{ ...shell("", 4), action: { kind: "claude", prompt: "/y" }, name: "claude: /y" }, shell("z", 4)]
        }
      ]
    ])("reads %s", (text, expected) => {
      const [step] = accept(withStep(text)).workflow.map.agent_template
      assert.deepInclude(step, expected)
    })

    it("shortens the default name to one line of sixty characters", () => {
      const long = "echo 日本 ".repeat(20).trim()
      const { workflow } = accept(withStep(`- shell: |\n\n        ${long}\n        second`))
      const name = workflow.map.agent_template[0]?.name ?? ""
      assert.strictEqual(Array.from(name).length, 60)
      assert.match(name, /^shell: echo 日本 .*…$/u)
    })

    const once = { max_attempts: 1, retry_original: true, fail_workflow: true }
    const fix = { ...shell("", 4), action: { kind: "claude", prompt: "/fix" }, name: "claude: /fix" } as const
    it.each<[string, Partial<Workflow.Step>]>([
      ["on_failure: true", { on_failure: null, allow_failure: false }],
      ["on_failure: false", { on_failure: null, allow_failure: true }],
      ["on_failure: /fix", { on_failure: { ...once, steps: [fix] } }],
      ["on_failure: make clean", { on_failure: { ...once, steps: [shell("make clean", 4)] } }],
      ["on_failure: {claude: /fix}", { on_failure: { ...once, steps: [fix] } }],
      ["on_failure: [/fix, {shell: y}]", { on_failure: { ...once, steps: [fix, shell("y", 4)] } }],
      [
        "on_failure: {claude: /fix, max_attempts: 3, fail_workflow: false}",
        {
          on_failure: { steps: [fix], max_attempts: 3, retry_original: true, fail_workflow: false }
        }
      ],
      ["on_failure: {commands: [/fix], strategy: recovery}", { on_failure: { ...once, steps: [fix] } }],
      [
        "on_failure: {commands: [/fix], strategy: cleanup}",
        {
          on_failure: { ...once, retry_original: false, steps: [fix] }
        }
      ],
      [
        "on_failure: {commands: [/fix], retry_original: false}",
        {
          on_failure: { ...once, retry_original: false, steps: [fix] }
        }
      ]
    ])("reads %s", (option, expected) => {
      const { warnings, workflow } = accept(withStep(`- {shell: x, ${option}}`))
      assert.deepInclude(workflow.map.agent_template[0], expected)
      assert.deepStrictEqual(warnings, [])
    })
  })

  describe("retry", () => {
    const attempts = (step: Workflow.Step | undefined) => step?.retry?.times.attempts ?? null

    it("stands on steps of every kind in every phase", () => {
      const { warnings, workflow } = accept(`
setup: [{shell: a, retry: 2}]
map:
  input: items.json
  agent_template:
    - {claude: /fix, retry: {attempts: 4, retry_on: [server_error, network]}}
    - {write_file: {path: a, content: b}, retry: 5}
    - {shell: curl -f example.com, retry: {retry_on: [network, timeout]}, on_failure: {shell: x, retry: 6}}
reduce: [{shell: b, retry: {attempts: 7}}]
`)
      assert.deepStrictEqual(warnings, [])
      assert.strictEqual(attempts(workflow.setup.steps[0]), 2)
      assert.deepStrictEqual(workflow.map.agent_template.map(attempts), [4, 5, 3])
      assert.strictEqual(attempts(workflow.map.agent_template[2]?.on_failure?.steps[0]), 6)
      assert.strictEqual(attempts(workflow.reduce.steps[0]), 7)
    })

    it("is inherited from retry_defaults, wherever that stands, unless a step has its own or none", () => {
      const { workflow } = accept(`
setup: [shell: a]
map:
  input: items.json
  agent_template:
    - /fix
    - {shell: b, retry: {backoff: fixed}}
    - {shell: c, retry: false, on_success: [shell: d]}
reduce: {steps: [{shell: e, on_success: {shell: f}}]}
retry_defaults: {attempts: 9, backoff: linear}
`)
      assert.strictEqual(attempts(workflow.setup.steps[0]), 9)
      const [fix, own, none] = workflow.map.agent_template
      assert.deepStrictEqual([fix, own, none].map(attempts), [9, 3, null])
      assert.strictEqual(own?.retry?.times.backoff.kind, "fixed")
      assert.strictEqual(attempts(none?.on_success[0]), 9)
      assert.deepStrictEqual([workflow.reduce.steps[0], workflow.reduce.steps[0]?.on_success[0]].map(attempts), [9, 9])
    })

    it("is not inherited by what follows a failure", () => {
      const { workflow } = accept(`
retry_defaults: {on_exhausted: {fallback: {shell: plan b}}}
map:
  input: items.json
  agent_template:
    - {shell: a, on_failure: [shell: b, {shell: c, retry: 2}]}
    - {shell: d, on_failure: repair}
    - {shell: e, retry: {on_exhausted: {fallback: {shell: f}}}}
`)
      const [a, d, e] = workflow.map.agent_template
      assert.deepStrictEqual(a?.on_failure?.steps.map(attempts), [null, 2])
      assert.deepStrictEqual(d?.on_failure?.steps.map(attempts), [null])
      for (const [step, name] of [
        [a, "shell: plan b"],
        [e, "shell: f"]
      ] as const) {
        const exhausted = step?.retry?.on_exhausted
        assert(exhausted?.kind === "fallback")
        assert.strictEqual(exhausted.step.name, name)
        assert.strictEqual(exhausted.step.retry, null)
      }
    })

    it("warns of kinds of failures that can never be told of a step", () => {
      const { warnings } = accept(`
retry_defaults: {retry_on: [network, server_error]}
map:
  input: items.json
  agent_template:
    - {shell: npm ci, retry: {retry_on: [network, timeout]}}
    - {shell: "wget -q example.com", retry: {retry_on: [network, server_error]}}
    - {write_file: {path: a, content: b}, retry: {retry_on: [timeout]}}
    - {shell: npm test}
`)
      assert.deepStrictEqual(
        warnings.map((warning) => `${warning.line}:${warning.column} ${warning.message.split(" ")[0]}`),
        ["6:23 `network`", "7:38 `server_error`", "8:43 `timeout`"]
      )
      assert.include(warnings[0]?.hint, "pattern")
    })

    it("reports an error in retry_defaults once, however many steps inherit", () => {
      const problems = refuse(`retry_defaults: {attempts: 0}\nsetup: [shell: a, shell: b]\n${minimal}`)
      assert.deepStrictEqual(
        problems.map((problem) => `${problem.line}:${problem.column}`),
        ["1:28"]
      )
    })

    it.each([
      ["attempts", "- {shell: x, attempts: 3}"],
      ["backoff", "- {shell: x, backoff: fixed}"],
      ["retry_on", "- {shell: x, retry_on: [network]}"]
    ])("says where %s goes", (key, text) => {
      assert.include(refuse(withStep(text))[0]?.hint, `\`${key}\` goes under \`retry\``)
    })
  })

  it("lets another interpreter have its own dollar signs, and items in env", () => {
    const own = "console.log(`${path} ${raw:item.js} \\${item.a} ${#item} ${workflow.name}`)"
    const { workflow } = accept(`
setup: [{shell: {command: "console.log(\`\${item}\`)", interpreter: node}}]
map:
  input: items.json
  agent_template:
    - {shell: {command: '${own}', interpreter: /usr/bin/env node}, env: {VALUE: "\${item.a}"}}
    - {shell: {command: 'echo "\${item.a}"', interpreter: bash -e}}
`)
    assert.strictEqual(workflow.map.agent_template.length, 2)
  })

  describe("old spellings", () => {
    const legacy: ReadonlyArray<
      [
        title: string,
        text: string,
        at: string,
        said: string,
        check?: (w: Workflow.Workflow) => unknown,
        expected?: unknown
      ]
    > = [
      [
        "agent_template.commands",
        "map:\n  input: a\n  agent_template:\n    commands: [shell: x]",
        "4:5",
        "agent_template.commands",
        (w) => w.map.agent_template,
        [shell("x", 4)]
      ],
      [
        "reduce.commands",
        "map: {input: a, agent_template: [shell: x]}\nreduce:\n  commands: [shell: y]",
        "3:3",
        "`commands` under `reduce`",
        (w) => w.reduce.steps,
        [shell("y", 3)]
      ],
      [
        "test",
        withStep("- test: {command: npm test, on_failure: /fix}"),
        "4:7",
        "`test` is an old name",
        (w) => [w.map.agent_template[0]?.action, w.map.agent_template[0]?.on_failure?.max_attempts],
        [{ kind: "shell", script: "npm test", interpreter: null }, 1]
      ],
      [
        "test as text",
        withStep("- test: npm test"),
        "4:7",
        "`test` is an old name",
        (w) => w.map.agent_template,
        [shell("npm test", 4)]
      ],
      [
        "capture_output",
        withStep("- {shell: x, capture_output: out}"),
        "4:18",
        "`capture_output`",
        (w) => w.map.agent_template[0]?.capture,
        capture("out")
      ],
      [
        "capture_output: true",
        withStep("- {shell: x, capture_output: true}"),
        "4:18",
        "`capture_output`",
        (w) => w.map.agent_template[0]?.capture,
        null
      ],
      [
        "capture_format",
        withStep("- {shell: x, capture: out, capture_format: json}"),
        "4:32",
        "`capture_format`",
        (w) => w.map.agent_template[0]?.capture,
        { ...capture("out"), format: "json" }
      ],
      [
        "capture_streams",
        withStep("- {shell: x, capture: out, capture_streams: {stderr: true, stdout: false, exit_code: true}}"),
        "4:32",
        "`capture_streams`",
        (w) => w.map.agent_template[0]?.capture,
        { ...capture("out"), streams: ["stderr", "exit_code"] }
      ],
      [
        "on_failure.max_retries",
        withStep("- {shell: x, on_failure: {claude: /fix, max_retries: 2}}"),
        "4:45",
        "`max_retries`",
        (w) => w.map.agent_template[0]?.on_failure?.max_attempts,
        2
      ],
      [
        "timeout_per_agent",
        inMap("timeout_per_agent: 10m"),
        "5:3",
        "`timeout_per_agent`",
        (w) => w.map.agent_timeout_ms,
        600_000
      ],
      ["retry_on_failure in map", inMap("retry_on_failure: 2"), "5:3", "`retry_on_failure`"],
      ["retry_on_failure on a step", withStep("- {shell: x, retry_on_failure: 2}"), "4:18", "`retry_on_failure`"],
      ["metadata", withStep("- {shell: x, metadata: {a: 1}}"), "4:18", "`metadata`"],
      ["outputs", withStep("- {shell: x, outputs: {a: {file_pattern: b}}}"), "4:18", "`outputs`"],
      ["analysis", withStep("- {shell: x, analysis: {force_refresh: true}}"), "4:18", "`analysis`"],
      [
        "analyze as a step",
        `${withStep("- analyze: {max_cache_age: 300}")}\n    - shell: y`,
        "4:7",
        "`analyze`",
        (w) => w.map.agent_template,
        [shell("y", 5)]
      ],
      [
        "name and args",
        withStep('- {name: fix, args: ["${item.path}", 3]}'),
        "4:8",
        "slash command",
        (w) => w.map.agent_template[0]?.action,
        { kind: "claude", prompt: "/fix ${item.path} 3" }
      ],
      [
        "tags in error_policy",
        `error_policy:\n  on_item_failure: !Stop\n${minimal}`,
        "2:20",
        "`!Stop`",
        (w) => w.map.failure_policy.on_item_failure,
        "stop"
      ],
      [
        "durations of secs and nanos",
        inMap("agent_timeout_secs: {secs: 90, nanos: 500000000}"),
        "5:23",
        "{secs, nanos}",
        (w) => w.map.agent_timeout_ms,
        90_500
      ]
    ]
    it.each(legacy)("warns of %s once, and reads it", (_, text, at, said, check, expected) => {
      const { warnings, workflow } = accept(text)
      assert.strictEqual(warnings.length, 1, warnings.map((warning) => warning.message).join("\n"))
      assert.strictEqual(`${warnings[0]?.line}:${warnings[0]?.column}`, at)
      assert.include(warnings[0]?.message, said)
      if (check !== undefined) assert.deepStrictEqual(check(workflow), expected)
    })
  })

  describe("a standard workflow", () => {
    it.each([
      ["a bare list of steps", "- shell: npm ci\n- claude: /review\n", [1, 2]],
      ["`commands`", "commands:\n  - shell: npm ci\n  - claude: /review\n", [2, 3]],
      ["`steps`", "steps:\n  - shell: npm ci\n  - /review\n", [2, 3]]
    ])("is %s", (_, text, lines) => {
      const { warnings, workflow } = acceptStandard(text, "flows/nightly.yml")
      assert.deepStrictEqual(warnings, [])
      assert.deepStrictEqual(workflow, {
        name: "nightly",
        description: null,
        env: {},
        steps: [
          shell("npm ci", lines[0] ?? 0),
          {
            ...shell("npm ci", lines[1] ?? 0),
            action: { kind: "claude", prompt: "/review" },
            name: "claude: /review"
          }
        ]
      })
    })

    it("has a name, a description, an environment, and every option of a step", () => {
      const { workflow } = acceptStandard(
        "name: nightly\ndescription: Every night\nversion: 2\nauthor: Dana\nenv: {LEVEL: 3.10}\nx-note: free\n" +
          "commands:\n  - id: build\n    shell: make\n    when: env.LEVEL == '3.10'\n    timeout: 10m\n" +
          "    capture: made\n    commit_required: true\n    allow_failure: true\n    on_failure: /fix\n    on_success: [/tell]\n"
      )
      assert.strictEqual(workflow.name, "nightly")
      assert.strictEqual(workflow.description, "Every night")
      assert.deepStrictEqual(workflow.env, { LEVEL: "3.10" })
      const [step] = workflow.steps
      assert.isDefined(step)
      assert.strictEqual(step.id, "build")
      assert.strictEqual(step.timeout_ms, 600_000)
      assert.deepStrictEqual(step.capture, capture("made"))
      assert.isTrue(step.commit_required && step.allow_failure)
      assert.strictEqual(step.on_failure?.steps.length, 1)
      assert.strictEqual(step.on_success.length, 1)
    })

    it("reads what is old in its steps, with a warning", () => {
      const { warnings, workflow } = acceptStandard("- test: {command: npm test}\n- name: fix\n  args: [a, b]\n")
      assert.strictEqual(warnings.length, 2)
      assert.deepStrictEqual(
        workflow.steps.map(({ action }) => action),
        [
          { kind: "shell", script: "npm test", interpreter: null },
          { kind: "claude", prompt: "/fix a b" }
        ]
      )
    })

    it("is stored as JSON and read back as it was", () => {
      const { workflow } = acceptStandard("- shell: a\n  on_failure: {shell: b, max_attempts: 2}\n- /c\n")
      const stored = JSON.stringify(Schema.encodeSync(Workflow.StandardWorkflow)(workflow))
      assert.deepStrictEqual(Schema.decodeUnknownSync(Workflow.StandardWorkflow)(JSON.parse(stored)), workflow)
    })
  })

  describe("what this version does not support", () => {
    const top = [
      "merge",
      "secrets",
      "env_files",
      "profiles",
      "parameters",
      "imports",
      "extends",
      "template",
      "workflows",
      "error_collection",
      "timeout",
      "agent",
      "budget"
    ]
    const inMapPhase = ["verify", "depends_on", "error_collection", "checkpoint", "isolation", "budget", "merge"]
    const onStep = [
      "agent",
      "foreach",
      "validate",
      "workflow",
      "on_exit_code",
      "auto_commit",
      "commit_config",
      "output_schema",
      "budget",
      "depends_on"
    ]
    it.each([
      ...top.map((key) => [key, `${minimal}\n${key}: 1`, "5:1"]),
      ...inMapPhase.map((key) => [`map.${key}`, inMap(`${key}: 1`), "5:3"]),
      ...onStep.map((key) => [`step ${key}`, withStep(`- {shell: x, ${key}: {}}`), "4:18"]),
      ...["agent", "foreach", "validate", "workflow"].map((key) => [`kind ${key}`, withStep(`- ${key}: {}`), "4:7"]),
      ["glob input", "map:\n  input: {glob: '*.ts'}\n  agent_template: [shell: x]", "2:11"],
      ["git_diff input", "map:\n  input: {git_diff: main}\n  agent_template: [shell: x]", "2:11"],
      ["computed env", `${minimal}\nenv:\n  A: {command: date}`, "6:3"],
      ["command timeouts", inMap("timeout_config: {timeout_policy: hybrid}"), "5:20"],
      ["capture max_size", withStep("- {shell: x, capture: {name: a, max_size: 3}}"), "4:37"],
      ["strategy fallback", withStep("- {shell: x, on_failure: {shell: y, strategy: fallback}}"), "4:51"],
      ["merge of a standard workflow", "commands: [shell: x]\nmerge: [shell: y]", "2:1"],
      ["timeout of a standard workflow", "steps: [shell: x]\ntimeout: 3", "2:1"]
    ])("says so of %s", (_, text, at) => {
      const problems = refuse(text ?? "")
      assert.strictEqual(problems.length, 1, problems.map((problem) => problem.message).join("\n"))
      assert.strictEqual(`${problems[0]?.line}:${problems[0]?.column}`, at)
      assert.include(problems[0]?.message, "is part of the language but not supported by this version yet")
    })
  })
})

const minimal = "map:\n  input: items.json\n  agent_template:\n    - shell: npm test"

const inMap = (option: string, input = "input: a") =>
  input === ""
    ? `map:\n  agent_template: [shell: x]\n\n\n  ${option}`
    : `map:\n  ${input}\n  agent_template: [shell: x]\n\n  ${option}`

const withStep = (step: string, indent = "    ") => `map:\n  input: a\n  agent_template:\n${indent}${step}`

const capture = (name: string): Workflow.Capture => ({
  name,
  format: "string",
  streams: [],
  json_path: null,
  pattern: null
})

const inlineItems = (workflow: Workflow.Workflow) =>
  workflow.map.selection.source.kind === "items" ? workflow.map.selection.source.items : []

const acceptAny = (text: string, path = "workflow.yml"): WorkflowFile.Parsed => {
  const result = WorkflowFile.parse(text, path)
  assert(Either.isRight(result), Either.isLeft(result) ? result.left.message : "")
  return result.right
}

const breaker = FailurePolicySyntax.circuitBreakerDefault

const accept = (text: string, path?: string) => {
  const parsed = acceptAny(text, path)
  assert(parsed.kind === "mapreduce", "a standard workflow was read")
  return parsed
}

const acceptStandard = (text: string, path?: string) => {
  const parsed = acceptAny(text, path)
  assert(parsed.kind === "standard", "a MapReduce workflow was read")
  return parsed
}

const refuse = (text: string, path = "workflow.yml"): ReadonlyArray<WorkflowFile.Problem> => {
  const result = WorkflowFile.parse(text, path)
  assert(Either.isLeft(result), "the text was taken for a workflow")
  assert.strictEqual(result.left.path, path)
  return result.left.problems
}

const full = `name: migrate
description: Moves every file to the new API
version: "1.0"
author: Dana
mode: mapreduce
env:
  TARGET: es2022
  LEVEL: 3
  STRICT: true
error_policy:
  on_item_failure: skip
  max_failures: 20
setup:
  - shell: npm ci
    timeout: 10m
  - id: list
    shell: |
      find src -name '*.ts' > items.txt
      wc -l < items.txt
    capture: {name: count, format: number}
map:
  input: items.txt
  input_format: lines
  json_path: $[*]
  filter: item != 'skip'
  sort_by: item DESC
  distinct: item
  offset: 5
  max_items: 100
  item_id: item.path
  max_parallel: 8
  agent_timeout_secs: 1h
  auto_commit: false
  failure_threshold: 0.25
  agent_template:
    - name: migrate it
      claude: /migrate \${item}
      commit_required: true
      timeout: 900
    - id: test
      shell: npm test -- "\${item}"
      when: migrate.success
      env: {CI: true}
      working_dir: packages/core
      output_file: test.log
      capture:
        name: result
        format: json
        json_path: $.total
        pattern: 'ok (\\d+)'
        default: 0
        streams: {stderr: true, exit_code: true}
      on_failure:
        commands:
          - claude: /fix \${shell.output}
        max_attempts: 3
        retry_original: true
        fail_workflow: false
        strategy: recovery
      on_success:
        - write_file: {path: done.txt, content: yes, mode: "0600", create_dirs: true}
reduce:
  - shell: echo \${map.successful}
`

const fullDecoded: Workflow.Workflow = {
  name: "migrate",
  description: "Moves every file to the new API",
  checkpoint: null,
  env: { TARGET: "es2022", LEVEL: "3", STRICT: "true" },
  setup: {
    steps: [
      { ...shell("npm ci", 14), timeout_ms: 600_000 },
      {
        ...shell("find src -name '*.ts' > items.txt\nwc -l < items.txt\n", 16),
        id: "list",
        name: "shell: find src -name '*.ts' > items.txt",
        capture: { ...capture("count"), format: "number" }
      }
    ],
    timeout_ms: null,
    auto_commit: false,
    capture_outputs: {}
  },
  map: {
    selection: {
      source: { kind: "path_or_command", text: "items.txt" },
      input_format: "lines",
      json_path: "$[*]",
      filter: "item != 'skip'",
      sort_by: "item DESC",
      distinct: "item",
      offset: 5,
      max_items: 100,
      item_id: "item.path"
    },
    agent_template: [
      {
        ...shell("", 36),
        action: { kind: "claude", prompt: "/migrate ${item}" },
        name: "migrate it",
        commit_required: true,
        timeout_ms: 900_000
      },
      {
        ...shell('npm test -- "${item}"', 40),
        id: "test",
        when: "migrate.success",
        env: { CI: "true" },
        working_dir: "packages/core",
        output_file: "test.log",
        capture: {
          name: "result",
          format: "json",
          streams: ["stderr", "exit_code"],
          json_path: "$.total",
          pattern: "ok (\\d+)",
          default: 0
        },
        on_failure: {
          steps: [
            {
              ...shell("", 55),
              action: { kind: "claude", prompt: "/fix ${shell.output}" },
              name: "claude: /fix ${shell.output}"
            }
          ],
          max_attempts: 3,
          retry_original: true,
          fail_workflow: false
        },
        on_success: [
          {
            ...shell("", 61),
            action: {
              kind: "write_file",
              path: "done.txt",
              content: "yes",
              format: "text",
              mode: 0o600,
              create_dirs: true
            },
            name: "write_file: done.txt"
          }
        ]
      }
    ],
    max_parallel: 8,
    agent_timeout_ms: 3_600_000,
    auto_commit: false,
    failure_policy: {
      on_item_failure: "skip",
      handler: null,
      retry: null,
      circuit_breaker: null,
      max_failures: 20,
      failure_threshold: 0.25
    }
  },
  reduce: {
    steps: [shell("echo ${map.successful}", 63)],
    timeout_ms: null,
    auto_commit: true,
    capture_outputs: {}
  }
}
