import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import * as YamlSource from "@prodigy/core/workflow/YamlSource"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"

/** Title, text, place, the text that the frame marks, and fragments of the message and the hint (null: no hint). */
type Case = readonly [string, string, at: string, marked: string, message: string, hint: string | null]

const cases: ReadonlyArray<Case> = [
  ["a file without anything", "", "1:1", "", "the file is empty", "`map`"],
  ["a file of comments", "# only this\n# and that\n", "1:1", "#", "the file is empty", "`map`"],
  ["a single value", "hello\n", "1:1", "hello", "a workflow is a list of steps, or a mapping", null],
  ["a control character", "map:\n  input: a\u0007b\n", "2:11", "·", "control character (U+0007)", null],
  ["a tab as indentation", "map:\n\tinput: a\n", "2:1", " ", "a tab cannot indent", "use spaces"],
  ["a quote that is never closed", "name: 'abc\nmap:\n  input: a\n", "1:7", "'abc", "Missing closing 'quote", null],
  [
    "a bracket that is never closed",
    "map:\n  input: [a, b\n  max_items: 3\n",
    "3:3",
    "m",
    "Flow sequence",
    "indentation"
  ],
  ["a colon in a plain text", "name: fix: all\n", "1:7", "f", "a mapping cannot start", "put quotes around"],
  ["a key without a colon", "name: x\nmap\n", "2:1", "map", "Implicit map keys", "is a `:` missing"],
  ["a reserved first character", "name: @me\n", "1:7", "@", "reserved character @", "put quotes"],
  ["a bad escape", 'name: "a\\q"\n', "1:9", "\\", "Invalid escape sequence", "single quotes"],
  ["two documents", "name: x\n---\nname: y\n", "2:1", "---", "holds one document", "remove what follows"],
  [
    "a key given twice",
    `name: a\n${minimal()}\nname: b\n`,
    "6:1",
    "name",
    "`name` is given twice, first in line 1",
    "keep one"
  ],
  [
    "a key given twice in an item",
    "map:\n  input: [{a: 1, a: 2}]\n  agent_template: [shell: x]\n",
    "2:18",
    "a",
    "`a` is given twice",
    "keep one"
  ],
  ["an alias of nothing", "map: *base\n", "1:6", "*base", "nothing before this line is anchored as `&base`", null],
  ["an alias of itself", "x-a: &a [1, *a]\n", "1:13", "*a", "`*a` contains itself", null],
  [
    "a merge key",
    "x-a: &a {input: a}\nmap:\n  <<: *a\n  input: a\n  agent_template: [shell: x]\n",
    "3:3",
    "<<",
    "merge keys",
    "write the keys out"
  ],
  ["a key that is not text", `${minimal()}\n12: a\n`, "5:1", "12", "a key of the workflow is not text", "quotes"],
  ["a tag", `name: !secret abc\n${minimal()}\n`, "1:15", "abc", "the YAML tag `!secret` has no meaning", null],
  [
    "a YAML 1.1 tag",
    `name: !!binary abc\n${minimal()}\n`,
    "1:16",
    "abc",
    "the YAML tag `!!binary` has no meaning",
    null
  ],
  [
    "no map",
    "name: x\nmode: mapreduce\n",
    "1:1",
    "name: x",
    "the workflow needs `map`",
    "`input` and `agent_template`"
  ],
  [
    "neither a map nor steps",
    "name: x\n",
    "1:1",
    "name: x",
    "the workflow needs `map`",
    "a workflow of steps alone needs `commands`"
  ],
  [
    "commands and a map",
    `${minimal()}\ncommands: [shell: x]\n`,
    "1:1",
    "map",
    "`map` and `commands` do not go together",
    "standard workflow"
  ],
  [
    "a map and steps",
    "steps: [shell: x]\nmap: {}\n",
    "2:1",
    "map",
    "`map` and `steps` do not go together",
    "`steps` is a standard workflow's list of steps"
  ],
  [
    "a mode and commands",
    "mode: mapreduce\ncommands: [shell: x]\n",
    "1:1",
    "mode",
    "`mode` and `commands` do not go together",
    "MapReduce"
  ],
  [
    "a phase beside commands",
    "commands: [shell: x]\nreduce: [shell: y]\n",
    "2:1",
    "reduce",
    "`reduce` and `commands` do not go together",
    "MapReduce"
  ],
  [
    "a failure policy beside commands",
    "commands: [shell: x]\nmax_failures: 3\n",
    "2:1",
    "max_failures",
    "`max_failures` and `commands` do not go together",
    "MapReduce"
  ],
  [
    "commands and steps",
    "commands: [shell: x]\nsteps: [shell: y]\n",
    "2:1",
    "steps",
    "`steps` is another name of `commands`, which is given too",
    null
  ],
  ["commands without a step", "commands: []\n", "1:11", "[]", "`commands` has no steps", "- shell: …"],
  ["commands without a value", "commands:\n", "1:1", "commands", "`commands` has no value", "give it one"],
  ["an empty list", "[]\n", "1:1", "[]", "the workflow has no steps", "- shell: …"],
  [
    "one step as commands",
    "commands: {shell: x}\n",
    "1:11",
    "{shell: x}",
    "`commands` must be a list of steps, found one step",
    "start it with `- `"
  ],
  ["commands that are a text", "commands: npm test\n", "1:11", "npm test", "`commands` must be a list", null],
  ["a step of two kinds in a list", "- {shell: x, claude: /y}\n", "1:14", "claude", "a step has one kind", "two steps"],
  [
    "an unknown key of a step in a list",
    "- shell: x\n  timout: 3\n",
    "2:3",
    "timout",
    "unknown key `timout`",
    "`timeout`"
  ],
  ["an id twice in a list", "- {shell: x, id: a}\n- {shell: y, id: a}\n", "2:18", "a", "`a`", null],
  [
    "another mode",
    `mode: map-reduce\n${minimal()}\n`,
    "1:7",
    "map-reduce",
    "`mode` must be one of mapreduce",
    "did you mean `mapreduce`?"
  ],
  [
    "an unknown key",
    `${minimal()}\ndescripton: x\n`,
    "5:1",
    "descripton",
    "unknown key `descripton`",
    "did you mean `description`?"
  ],
  ["an unknown key near nothing", `${minimal()}\nzzzzzz: x\n`, "5:1", "zzzzzz", "unknown key `zzzzzz`", "`x-`"],
  [
    "a key at the wrong level",
    `${minimal()}\nmax_parallel: 3\n`,
    "5:1",
    "max_parallel",
    "unknown key `max_parallel`",
    "goes under `map`"
  ],
  ["a key in camel case", inMap("maxParallel: 3"), "4:3", "maxParallel", "unknown key", "did you mean `max_parallel`?"],
  [
    "a misspelt template",
    "map:\n  input: a\n  agent_templat:\n    - shell: x\n",
    "3:3",
    "agent_templat",
    "unknown key `agent_templat`",
    "did you mean `agent_template`?"
  ],
  ["no input", "map:\n  agent_template: [shell: x]\n", "1:1", "map", "`map` needs `input`", "a file, a command"],
  ["no template", "map:\n  input: a\n", "1:1", "map", "`map` needs `agent_template`", "steps"],
  [
    "an empty template",
    "map:\n  input: a\n  agent_template: []\n",
    "3:19",
    "[]",
    "`agent_template` has no steps",
    "steps"
  ],
  [
    "a key without a value",
    "map:\n  input:\n  agent_template: [shell: x]\n",
    "2:3",
    "input",
    "`input` has no value",
    "give it one"
  ],
  ["map as a list", "map: [a]\n", "1:6", "[a]", "`map` must be a mapping", null],
  [
    "two sources of items",
    "map:\n  input: {items: [a], command: ls}\n  agent_template: [shell: x]\n",
    "2:23",
    "command",
    "`input` has one source",
    null
  ],
  [
    "no source of items",
    "map:\n  input: {}\n  agent_template: [shell: x]\n",
    "2:3",
    "input",
    "does not say where the items come from",
    "`command: …`"
  ],
  [
    "a number as input",
    "map:\n  input: 5\n  agent_template: [shell: x]\n",
    "2:10",
    "5",
    "`input` must be text, found `5`",
    'quotes: "5"'
  ],
  [
    "items that are no list",
    "map:\n  input: {items: a}\n  agent_template: [shell: x]\n",
    "2:18",
    "a",
    "`items` must be a list",
    null
  ],
  [
    "an item that is no JSON",
    "map:\n  input: [1, .inf]\n  agent_template: [shell: x]\n",
    "2:14",
    ".inf",
    "`.inf` is not a JSON number",
    "quotes"
  ],
  [
    "a format for inline items",
    "map:\n  input: [1]\n  input_format: csv\n  agent_template: [shell: x]\n",
    "3:3",
    "input_format",
    "has no meaning",
    null
  ],
  [
    "a format that is none",
    inMap("input_format: jsonn"),
    "4:17",
    "jsonn",
    "must be one of json, jsonl, yaml, csv, lines",
    "did you mean `json`?"
  ],
  [
    "a word as a number",
    inMap("max_parallel: many"),
    "4:17",
    "many",
    "must be a whole number from 1 to 1000, found the text `many`",
    "`$PARALLEL`"
  ],
  ["a number in quotes", inMap('max_parallel: "8"'), "4:17", '"8"', "must be a whole number", "write 8 without quotes"],
  ["too many agents", inMap("max_parallel: 1001"), "4:17", "1001", "from 1 to 1000, found `1001`", "for example"],
  ["no agents", inMap("max_parallel: 0"), "4:17", "0", "from 1 to 1000, found `0`", "for example"],
  ["a negative number", inMap("max_items: -1"), "4:14", "-1", "must be a whole number of at least 0, found `-1`", null],
  ["a fraction of an item", inMap("offset: 1.5"), "4:11", "1.5", "must be a whole number of at least 0", null],
  [
    "a duration that is none",
    inMap("agent_timeout_secs: 3 days"),
    "4:23",
    "3 days",
    "`agent_timeout_secs` is not a duration",
    '"1h30m"'
  ],
  ["no time at all", inMap("agent_timeout_secs: 0"), "4:23", "0", "must be longer than nothing", '"10m"'],
  ["a negative time", inMap("agent_timeout_secs: -5"), "4:23", "-5", "must be longer than nothing", '"10m"'],
  ["a time too long", inMap("agent_timeout_secs: 30d"), "4:23", "30d", "is longer than 24 days", '"10m"'],
  [
    "two timeouts",
    inMap("agent_timeout_secs: 3\n  timeout_config: {agent_timeout_secs: 4}"),
    "5:3",
    "timeout_config",
    "given twice, first as `agent_timeout_secs`",
    null
  ],
  ["a share above one", inMap("failure_threshold: 20"), "4:22", "20", "must be a number from 0 to 1", "0.2 for 20 %"],
  [
    "a policy given twice",
    inMap("max_failures: 3\n  error_policy: {max_failures: 4}"),
    "4:3",
    "max_failures",
    "given twice, also in `error_policy`",
    "keep one"
  ],
  [
    "a policy that is none",
    inMap("on_item_failure: ignore"),
    "4:20",
    "ignore",
    "must be one of dlq, retry, skip, stop",
    null
  ],
  ["a handler without steps", inMap("on_item_failure: []"), "4:20", "[]", "has no steps", "or one of dlq"],
  [
    "a handler that says nothing it knows",
    inMap("on_item_failure: {stepz: [shell: x]}"),
    "4:21",
    "stepz",
    "unknown key `stepz`",
    "did you mean `steps`?"
  ],
  [
    "a handler after which nothing can be done",
    inMap("on_item_failure: {steps: [shell: x], outcome: retry}"),
    "4:49",
    "retry",
    "must be one of dlq, skip, complete",
    null
  ],
  ["a breaker that never opens", inMap("circuit_breaker: {failure_threshold: 0}"), "4:40", "0", "must be", null],
  ["a breaker of no kind", inMap("circuit_breaker: true"), "4:20", "true", "must be a mapping", null],
  ["a breaker without a time", inMap("circuit_breaker: {timeout: soon}"), "4:30", "soon", "is not a duration", '"30s"'],
  [
    "a budget for the retries of items",
    inMap("retry: {retry_budget: 1m}"),
    "4:11",
    "retry_budget",
    "is for the retries of steps",
    "bound it"
  ],
  [
    "a truth value of old",
    inMap("auto_commit: yes"),
    "4:16",
    "yes",
    "`auto_commit` must be true or false",
    "did you mean `true`"
  ],
  ["a filter that is none", inMap('filter: "n > 3 && && m"'), "4:21", "&", "`filter`", null],
  ["a filter in a plain text", inMap("filter: n > 3 && && m"), "4:20", "&", "`filter`", null],
  ["a path that is none", inMap("item_id: a..b"), "4:12", "a..b", "`item_id`", null],
  ["an order that is none", inMap("sort_by: a UP"), "4:14", "U", "`sort_by`", null],
  ["a field to tell apart that is none", inMap("distinct: '['"), "4:13", "'['", "`distinct`", null],
  ["a JSONPath that is none", inMap("json_path: $.a["), "4:17", "[", "`json_path`", null],
  [
    "a JSONPath of a capture that is none",
    step("- {shell: x, capture: {name: a, json_path: '$['}}"),
    "4:51",
    "'",
    "`json_path`",
    null
  ],
  [
    "setup that is one step",
    `${minimal()}\nsetup:\n  shell: npm ci\n`,
    "6:3",
    "shell: npm ci",
    "`setup` must be a list of steps",
    "start it with `- `"
  ],
  ["setup that is a text", `${minimal()}\nsetup: npm ci\n`, "5:8", "npm ci", "`setup` must be a list", null],
  ["setup without steps", `${minimal()}\nsetup: {timeout: 3}\n`, "5:1", "setup", "`setup` needs `steps`", "a list"],
  [
    "a bare text as a step",
    step("- npm test"),
    "4:7",
    "npm test",
    "does not say what runs it: `npm test`",
    "write `shell: npm test` or `claude: /npm test`"
  ],
  ["a list as a step", step("- [a]"), "4:7", "[a]", "must be a step, found a list", "`- shell: …`"],
  ["an empty step", step("- {}"), "4:7", "{}", "does not say what to do", "`shell`, `claude`, `write_file`"],
  ["a step of nothing", step("-\n    - shell: x"), "4:6", "", "step 1 of `agent_template` has no value", "remove it"],
  [
    "a step without a kind",
    step("- timeout: 3"),
    "4:7",
    "timeout: 3",
    "step 1 of `agent_template` does not say what to do",
    "`shell`"
  ],
  [
    "two kinds",
    step("- shell: a\n      claude: /b"),
    "5:7",
    "claude",
    "one kind, and this one is `shell` and `claude`",
    "two steps"
  ],
  ["a kind misspelt", step("- shel: a"), "4:7", "shel", "unknown key `shel`", "did you mean `shell`?"],
  ["a blank script", step("- shell: '  '"), "4:14", "'  '", "`shell` has no value", "give it one"],
  ["a script that is a list", step("- shell: [a, b]"), "4:14", "[a, b]", "`shell` must be text, found a list", null],
  ["a script with a NUL", step('- shell: "a\\0b"'), "4:14", '"a\\0b"', "NUL character", null],
  [
    "a shell object without its command",
    step("- shell: {interpreter: bash}"),
    "4:7",
    "shell",
    "`shell` needs `command`",
    null
  ],
  [
    "an item in a script of another interpreter",
    step("- shell: {command: \"print(1, '${item.a}')\", interpreter: python3}"),
    "4:35",
    "$",
    "`command`: the value of item.a comes from outside, and only a shell can be given it",
    '`VALUE: "${item.a}"`'
  ],
  [
    "an output in a script of another interpreter",
    `${minimal()}\nsetup: [{shell: {command: "say \`\${last.output}\`", interpreter: node}}]\n`,
    "5:33",
    "$",
    "the value of last.output comes from outside",
    "environment variable VALUE"
  ],
  [
    "a file without content",
    step("- write_file: {path: a}"),
    "4:7",
    "write_file",
    "`write_file` needs `content`",
    null
  ],
  [
    "permissions that are none",
    step("- write_file: {path: a, content: b, mode: 999}"),
    "4:47",
    "999",
    "must be permission bits, found `999`",
    '"0644"'
  ],
  [
    "an option of a handler on the step",
    step("- {shell: x, max_attempts: 3}"),
    "4:18",
    "max_attempts",
    "unknown key `max_attempts`",
    "goes under `on_failure`"
  ],
  [
    "two names of one option",
    step("- {shell: x, working_dir: a, cwd: b}"),
    "4:34",
    "cwd",
    "another name of `working_dir`",
    null
  ],
  [
    "a capture that is no name",
    step("- {shell: x, capture: my-out}"),
    "4:27",
    "my-out",
    "`capture` must be a name",
    "did you mean `my_out`?"
  ],
  [
    "a capture without a name",
    step("- {shell: x, capture: {format: json}}"),
    "4:18",
    "capture",
    "`capture` needs `name`",
    null
  ],
  [
    "a capture format that is none",
    step("- {shell: x, capture: {name: a, format: jsn}}"),
    "4:45",
    "jsn",
    "must be one of string, json",
    "did you mean `json`?"
  ],
  [
    "a pattern that is none",
    step("- {shell: x, capture: {name: a, pattern: '(('}}"),
    "4:46",
    "'(('",
    "is not a regular expression",
    null
  ],
  [
    "a stream that is none",
    step("- {shell: x, capture: {name: a, streams: {stdoutt: true}}}"),
    "4:47",
    "stdoutt",
    "unknown key `stdoutt`",
    "did you mean `stdout`?"
  ],
  ["an id that is no name", step("- {shell: x, id: a b}"), "4:22", "a b", "`id` must be a name", "letters"],
  [
    "an id twice",
    step("- {shell: x, id: a}\n    - {shell: y, id: a}"),
    "5:22",
    "a",
    "two steps have the id `a`, the first in line 4",
    null
  ],
  ["a condition that is none", step("- {shell: x, when: 'a >'}"), "4:28", "'", "`when`", null],
  [
    "an environment name that is none",
    step("- {shell: x, env: {a-b: 1}}"),
    "4:24",
    "a-b",
    "cannot be the name of an environment variable",
    "letters"
  ],
  [
    "an environment value that is a list",
    step("- {shell: x, env: {A: [1]}}"),
    "4:27",
    "[1]",
    "`A` must be text, found a list",
    null
  ],
  [
    "a handler with a step and commands",
    step("- {shell: x, on_failure: {shell: y, commands: [/fix]}}"),
    "4:31",
    "shell",
    "unknown key `shell`",
    null
  ],
  [
    "a handler without attempts",
    step("- {shell: x, on_failure: {claude: /fix, max_attempts: 0}}"),
    "4:59",
    "0",
    "from 1 to 1000",
    null
  ],
  [
    "a handler that does nothing",
    step("- {shell: x, on_failure: {max_attempts: 2}}"),
    "4:18",
    "on_failure",
    "`on_failure` does not say what to do",
    "`shell`"
  ],
  [
    "a text after a wide one",
    step("- {name: 日本語, shell: x, tmeout: 3}"),
    "4:29",
    "tmeout",
    "unknown key `tmeout`",
    "did you mean `timeout`?"
  ],
  [
    "a text after a tab",
    step("- {shell: x,\ttmeout: 3}"),
    "4:18",
    "tmeout",
    "unknown key `tmeout`",
    "did you mean `timeout`?"
  ]
]

describe("WorkflowFile problems", () => {
  it.each(cases)("finds %s", (_, text, at, marked, message, hint) => {
    const [problem, ...others] = refuse(text)
    assert.strictEqual(`${problem?.line}:${problem?.column}`, at, problem?.message)
    assert.include(problem?.message, message)
    assert.notMatch(problem?.message ?? "", /\n/)
    if (hint === null)
      assert.isTrue(problem?.hint === null || problem?.hint === "keys of your own start with `x-`", problem?.hint ?? "")
    else assert.include(problem?.hint, hint)
    assert.strictEqual(markedIn(problem?.frame ?? ""), marked)
    assert.deepStrictEqual(
      others.map((other) => other.message),
      []
    )
  })

  it("reports everything that is wrong, in the order of the file", () => {
    const problems = refuse(
      "mode: x\nmap:\n  max_parallel: 0\n  agent_template:\n    - npm test\n    - {shell: a, retry: 0}\nreduse: []\n"
    )
    assert.deepStrictEqual(
      problems.map((problem) => `${problem.line}:${problem.column}`),
      ["1:7", "2:1", "3:17", "5:7", "6:25", "7:1"]
    )
  })

  it("shows two lines before and after, numbered alike", () => {
    const text = `# one\n${"#\n".repeat(6)}map:\n  input: a\n  imput: b\n  agent_template:\n    - shell: x\n    - shell: y\n`
    assert.strictEqual(
      refuse(text)[0]?.frame,
      [
        "   8 | map:",
        "   9 |   input: a",
        "> 10 |   imput: b",
        "     |   ^^^^^",
        "  11 |   agent_template:",
        "  12 |     - shell: x"
      ].join("\n")
    )
  })

  it("says a wrong step of an alias at its own place once per use", () => {
    const problems = refuse("x-a: &a\n  - {shell: x, tmeout: 3}\nsetup: *a\nmap:\n  input: i\n  agent_template: *a\n")
    assert.deepStrictEqual(
      problems.map((problem) => `${problem.line}:${problem.column} ${problem.message}`),
      ["2:16 unknown key `tmeout`"]
    )
  })

  it("gives up on aliases that expand without measure, at once", () => {
    const lines = ["x-0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    for (let level = 1; level < 30; level++)
      lines.push(
        `x-${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(", ")}]`
      )
    const [problem, ...others] = refuse(`${lines.join("\n")}\n${minimal()}`)
    assert.include(problem?.message, "expand to more than 5 MiB")
    assert.strictEqual(others.length, 0)
  })

  it("gives up on nesting without measure, also through aliases", () => {
    const chain = ["x-0: &a0 [1]"]
    for (let level = 1; level < 5000; level++) chain.push(`x-${level}: &a${level} [*a${level - 1}]`)
    const texts = [
      "[".repeat(100_000),
      `a: ${"{a: ".repeat(5000)}`,
      `${"- ".repeat(3000)}a`,
      `x: ${"[".repeat(150)}${"]".repeat(150)}`,
      chain.join("\n")
    ]
    for (const text of texts) {
      const [problem, ...others] = refuse(text)
      assert.include(problem?.message, "nested more than 100 deep")
      assert.strictEqual(others.length, 0)
    }
  })

  it("refuses a file of more than 5 MiB, counted in bytes", () => {
    const [problem] = refuse(`# ${"語".repeat(YamlSource.bytesMax / 3)}\n${minimal()}`)
    assert.deepInclude(problem, { line: 1, column: 1, message: "the file is larger than 5 MiB" })
    assert.isBelow(problem?.frame.length ?? 0, 1000)
  })

  it("reports at most fifty problems, the last one saying how many there are", () => {
    const problems = refuse(`${minimal()}\n${Array.from({ length: 500 }, (_, index) => `zz${index}: 1`).join("\n")}`)
    assert.strictEqual(problems.length, WorkflowFile.problemsMax)
    assert.strictEqual(problems[49]?.message, "451 more from here on")
    assert.strictEqual(problems[49]?.line, 54)
  })

  it("says every problem with its place in its message", () => {
    const result = WorkflowFile.parse("map: 3\nnam: x", "flows/a.yml")
    assert(Either.isLeft(result))
    assert.include(result.left.message, "flows/a.yml:1:6: `map` must be a mapping")
    assert.include(result.left.message, "flows/a.yml:2:1: unknown key `nam`")
  })

  it("lets nothing of a text act on the terminal", () => {
    const text = `map:\n  input: a\n  agent_template: ["\\e[31mred\\nnext", {shell: x, "\\e]0;t\\a": 1}, {shell: y, "a\u202Eb": 1}]\n`
    for (const problem of refuse(text)) {
      // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
      assert.notMatch(problem.message + (problem.hint ?? ""), /[\u0000-\u001F\u202E]/)
      // oxlint-disable-next-line no-control-regex -- the same, lines apart
      assert.notMatch(problem.frame, /[\u0000-\u0009\u000B-\u001F\u202E]/)
    }
  })
})

function minimal() {
  return "map:\n  input: items.json\n  agent_template:\n    - shell: npm test"
}

function inMap(option: string) {
  return `map:\n  input: a\n  agent_template: [shell: x]\n  ${option}\n`
}

function step(text: string) {
  return `map:\n  input: a\n  agent_template:\n    ${text}\n`
}

const refuse = (text: string): ReadonlyArray<WorkflowFile.Problem> => {
  const result = WorkflowFile.parse(text, "workflow.yml")
  assert(Either.isLeft(result), "the text was taken for a workflow")
  return result.left.problems
}

/** The text over the carets, wide characters taking two columns. */
const markedIn = (frame: string): string => {
  const lines = frame.split("\n")
  const index = lines.findIndex((line) => line.startsWith(">"))
  const carets = lines[index + 1] ?? ""
  let column = 0
  let out = ""
  for (const char of lines[index] ?? "") {
    if (column >= carets.indexOf("^") && column <= carets.lastIndexOf("^")) out += char
    column += /[\u3041-\uA4CF]/.test(char) ? 2 : 1
  }
  return out
}
