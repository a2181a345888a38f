/**
 * Workflow files: YAML in, a checked workflow of either kind out, every error with its place.
 *
 * Owns the top level of the language and the making of problems. `YamlSource` owns YAML, `YamlCursor` typed reading,
 * `PhaseSyntax`, `StepSyntax`, `CaptureSyntax`, `CheckpointSyntax` and `FailurePolicySyntax` the parts of the language.
 * Reads no files.
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
import type { StandardWorkflow, Step, Workflow } from "./Workflow.ts"
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
 * A workflow of either kind, with the warnings (legacy spellings, one line each) met on the way.
 *
 * @since 0.1.0
 * @category models
 */
export type Parsed = Read & { readonly warnings: ReadonlyArray<Problem> }

type Read =
  | { readonly kind: "mapreduce"; readonly workflow: Workflow }
  | { readonly kind: "standard"; readonly workflow: StandardWorkflow }

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
 * Total: whatever the text, the result is a workflow that meets its schema or everything that is wrong, in the order of
 * the file.
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
    return Either.right({ ...read, warnings: problems(yaml, findings) })
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

const standardKeys = ["commands", "steps"]

/** What only a MapReduce workflow has. */
const mapReduceKeys = ["mode", "checkpoint", "setup", "map", "reduce", ...policyKeys]

const keys: YamlCursor.Keys = {
  known: ["name", "description", "version", "author", "env", "retry_defaults", ...standardKeys, ...mapReduceKeys],
  later,
  elsewhere: Object.fromEntries(
    PhaseSyntax.mapKeys
      .filter((key) => !policyKeys.includes(key))
      .map((key) => [key, `\`${key}\` goes under \`map\``] as const)
  )
}

const workflow = (cursor: YamlCursor.Cursor, name: string): Read | null => {
  if (YamlCursor.isList(cursor)) {
    return {
      kind: "standard",
      workflow: { name, description: null, env: {}, steps: steps(cursor, StepSyntax.shared()) }
    }
  }
  if (!YamlCursor.isMapping(cursor)) {
    const expected = "a list of steps, or a mapping of keys such as `name` and `map`"
    YamlCursor.error(cursor, `a workflow is ${expected}, found a single value`)
    return null
  }
  const fields = YamlCursor.fields(cursor, keys)
  const option = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    const value = fields.get(key)
    return value === undefined ? null : reader(value)
  }
  option("version", YamlValue.words)
  option("author", YamlValue.words)
  const top = {
    name: option("name", YamlValue.words) ?? name,
    description: option("description", (value) => YamlValue.words(value, { blank: true })),
    env: option("env", StepSyntax.environment) ?? {}
  }
  const defaults = fields.get("retry_defaults")
  const shared =
    defaults === undefined ? StepSyntax.shared() : StepSyntax.withRetryDefaults(StepSyntax.shared(), defaults)
  return standardKeys.some(fields.has)
    ? { kind: "standard", workflow: { ...top, steps: standardSteps(fields, shared) } }
    : mapReduce(fields, option, top, shared)
}

type Top = Pick<Workflow, "name" | "description" | "env">

const mapReduce = (
  fields: YamlCursor.Fields,
  option: <A>(key: string, reader: (value: YamlCursor.Cursor) => A) => A | null,
  top: Top,
  shared: StepSyntax.Shared
): Read | null => {
  option("mode", (value) => YamlValue.literal(value, ["mapreduce"]))
  const checkpoint = option("checkpoint", CheckpointSyntax.read)
  const inherited = FailurePolicySyntax.read(fields, shared)
  const setup = option("setup", (value) =>
    PhaseSyntax.phase(value, shared, { autoCommit: false, legacyCommands: false })
  )
  const hint = fields.has("mode")
    ? "with `input` and `agent_template`"
    : "with `input` and `agent_template`; a workflow of steps alone needs `commands`"
  const found = YamlCursor.required(fields, "map", hint)
  const map = found === undefined ? null : PhaseSyntax.map(found, shared, inherited)
  const reduce = option("reduce", (value) =>
    PhaseSyntax.phase(value, shared, { autoCommit: true, legacyCommands: true })
  )
  if (map === null) return null
  return {
    kind: "mapreduce",
    workflow: {
      ...top,
      checkpoint,
      setup: setup ?? PhaseSyntax.absent(false),
      map,
      reduce: reduce ?? PhaseSyntax.absent(true)
    }
  }
}

/** The steps of a standard workflow; what it has of a MapReduce workflow is said, each at its place. */
const standardSteps = (fields: YamlCursor.Fields, shared: StepSyntax.Shared): ReadonlyArray<Step> => {
  const given = standardKeys.filter(fields.has)
  const [own = "commands", second] = given
  if (second !== undefined) {
    YamlCursor.error(fields.key(second), `\`${second}\` is another name of \`${own}\`, which is given too`)
  }
  for (const key of mapReduceKeys.filter(fields.has)) {
    YamlCursor.error(
      fields.key(key),
      `\`${key}\` and \`${own}\` do not go together`,
      `\`${key}\` is for MapReduce workflows, which have \`map\`; \`${own}\` is a standard workflow's list of steps`
    )
  }
  const list = fields.get(own)
  return list === undefined ? [] : steps(list, shared)
}

const steps = (cursor: YamlCursor.Cursor, shared: StepSyntax.Shared): ReadonlyArray<Step> =>
  PhaseSyntax.atLeastOne(cursor, shared, "write `- shell: …` or `- claude: …`")

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
