/**
 * Workflow files: YAML in, a checked `Workflow` out, every error with its place.
 *
 * Owns the top level of the language and the making of problems. `YamlSource` owns YAML, `YamlCursor` typed reading,
 * `PhaseSyntax`, `StepSyntax`, `CaptureSyntax`, `CheckpointSyntax` and `FailurePolicySyntax` the parts of the language. Reads no files.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as CheckpointSyntax from "./CheckpointSyntax.ts"
import * as CodeFrame from "./CodeFrame.ts"
import * as FailurePolicySyntax from "./FailurePolicySyntax.ts"
import * as PhaseSyntax from "./PhaseSyntax.ts"
import * as StepSyntax from "./StepSyntax.ts"
import type { Workflow } from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * One thing wrong in a workflow file. `line` and `column` are 1-based; `frame` shows the lines around it, marked.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Problem = Schema.Struct({
  line: Schema.Int,
  column: Schema.Int,
  message: Schema.String,
  hint: Schema.NullOr(Schema.String),
  frame: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Problem extends Schema.Schema.Type<typeof Problem> {}

/**
 * A workflow file that cannot be used, with everything wrong in it.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkflowInvalid extends Schema.TaggedError<WorkflowInvalid>(
  "@prodigy/core/workflow/WorkflowFile/WorkflowInvalid"
)("WorkflowInvalid", { path: Schema.String, problems: Schema.NonEmptyArray(Problem) }) {
  override get message() {
    return this.problems
      .map((problem) => `${this.path}:${problem.line}:${problem.column}: ${problem.message}`)
      .join("\n")
  }
}

/**
 * A workflow with the warnings (legacy spellings, one line each) met on the way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Parsed {
  readonly workflow: Workflow
  readonly warnings: ReadonlyArray<Problem>
}

/**
 * Problems, or warnings, reported of one file; when there are more, the last one says how many.
 *
 * @since 0.1.0
 * @category models
 */
export const problemsMax = 50

/**
 * Reads a workflow from its text. `path` is for errors and for the default name.
 *
 * Total: whatever the text, the result is a workflow that meets the schema of `Workflow` or everything that is wrong,
 * in the order of the file.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string, path: string): Either.Either<Parsed, WorkflowInvalid> => {
  // A byte order mark is no part of the first line.
  const yaml = YamlSource.parse(text.startsWith("\uFEFF") ? text.slice(1) : text)
  const read = yaml.root === null ? null : workflow(YamlCursor.at(yaml, yaml.root, "the workflow", null), stem(path))
  const findings = inOrder(yaml.findings)
  const errors = findings.filter((finding) => finding.severity === "error")
  if (read !== null && errors.length === 0) {
    return Either.right({ workflow: read, warnings: problems(yaml, findings) })
  }
  const [first, ...others] = problems(yaml, errors)
  return Either.left(
    new WorkflowInvalid({
      path,
      problems: [first ?? { line: 1, column: 1, message: "the file cannot be read", hint: null, frame: "" }, ...others]
    })
  )
}

const later = [
  "commands",
  "steps",
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

const policyKeys: ReadonlyArray<string> = FailurePolicySyntax.keys

const keys: YamlCursor.Keys = {
  known: [
    "name",
    "description",
    "version",
    "author",
    "mode",
    "env",
    "checkpoint",
    "retry_defaults",
    "setup",
    "map",
    "reduce",
    ...policyKeys
  ],
  later,
  elsewhere: Object.fromEntries(
    PhaseSyntax.mapKeys
      .filter((key) => !policyKeys.includes(key))
      .map((key) => [key, `\`${key}\` goes under \`map\``] as const)
  )
}

const workflow = (cursor: YamlCursor.Cursor, name: string): Workflow | null => {
  if (YamlCursor.isList(cursor)) {
    YamlCursor.later({ ...cursor, end: cursor.start + 1 }, "a standard workflow (a list of steps)")
    return null
  }
  if (!YamlCursor.isMapping(cursor)) {
    YamlCursor.error(cursor, "a workflow is a mapping of keys such as `name` and `map`, found a single value")
    return null
  }
  const fields = YamlCursor.fields(cursor, keys)
  const option = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    const value = fields.get(key)
    return value === undefined ? null : reader(value)
  }
  option("mode", (value) => YamlValue.literal(value, ["mapreduce"]))
  option("version", YamlValue.words)
  option("author", YamlValue.words)
  const defaults = fields.get("retry_defaults")
  const shared =
    defaults === undefined ? StepSyntax.shared() : StepSyntax.withRetryDefaults(StepSyntax.shared(), defaults)
  const inherited = FailurePolicySyntax.read(fields, shared)
  const setup = option("setup", (value) =>
    PhaseSyntax.phase(value, shared, { autoCommit: false, legacyCommands: false })
  )
  const standard = YamlCursor.hasAnyKey(cursor, ["commands", "steps"]) && !fields.has("mode")
  const found = standard ? fields.get("map") : YamlCursor.required(fields, "map", "with `input` and `agent_template`")
  const map = found === undefined ? null : PhaseSyntax.map(found, shared, inherited)
  const reduce = option("reduce", (value) =>
    PhaseSyntax.phase(value, shared, { autoCommit: true, legacyCommands: true })
  )
  const top = {
    name: option("name", YamlValue.words) ?? name,
    description: option("description", (value) => YamlValue.words(value, { blank: true })),
    checkpoint: option("checkpoint", CheckpointSyntax.read),
    env: option("env", StepSyntax.environment) ?? {}
  }
  if (map === null) return null
  return { ...top, setup: setup ?? PhaseSyntax.absent(false), map, reduce: reduce ?? PhaseSyntax.absent(true) }
}

const stem = (path: string): string => {
  const file = path.split(/[\\/]/).pop() ?? ""
  const bare = file.replace(/\.(ya?ml)$/i, "").trim()
  return bare === "" ? "workflow" : bare
}

// A step that is used through an alias is read at each use, and what is wrong with it said once.
const inOrder = (findings: ReadonlyArray<YamlSource.Finding>): ReadonlyArray<YamlSource.Finding> => {
  const seen = new Set<string>()
  return findings
    .filter((finding) => {
      const key = `${finding.start} ${finding.message}`
      if (seen.has(key)) return false
      seen.add(key)
      return true
    })
    .sort((a, b) => a.start - b.start)
}

const problem = (yaml: YamlSource.YamlSource, finding: YamlSource.Finding): Problem => ({
  ...CodeFrame.position(yaml.source, finding.start),
  message: finding.message,
  hint: finding.hint,
  frame: CodeFrame.render(yaml.source, finding.start, finding.end)
})

const problems = (yaml: YamlSource.YamlSource, findings: ReadonlyArray<YamlSource.Finding>): ReadonlyArray<Problem> => {
  const shown = findings.slice(0, findings.length > problemsMax ? problemsMax - 1 : problemsMax)
  const out = shown.map((finding) => problem(yaml, finding))
  const next = findings[shown.length]
  if (next === undefined) return out
  const more = findings.length - shown.length
  return [...out, problem(yaml, { ...next, message: `${more} more from here on`, hint: null })]
}
