/**
 * The phases of a MapReduce workflow as they stand in its file: `setup`, `map`, `reduce`.
 *
 * Owns their keys, defaults and old spellings. Steps are read by `StepSyntax`, where items come from by
 * `SelectionSyntax`, the failure policy by `FailurePolicySyntax`.
 *
 * @since 0.1.0
 */
import * as FailurePolicySyntax from "./FailurePolicySyntax.ts"
import * as SelectionSyntax from "./SelectionSyntax.ts"
import * as StepSyntax from "./StepSyntax.ts"
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * Agents at once when `max_parallel` is not given.
 *
 * @since 0.1.0
 * @category models
 */
export const maxParallelDefault = 10

/**
 * Most agents at once.
 *
 * @since 0.1.0
 * @category models
 */
export const maxParallelMax = 1000

/**
 * The keys of `map`.
 *
 * @since 0.1.0
 * @category models
 */
export const mapKeys = [
  ...SelectionSyntax.keys,
  "max_parallel",
  "agent_timeout_secs",
  "timeout_config",
  "timeout_per_agent",
  "agent_template",
  "auto_commit",
  "retry_on_failure",
  ...FailurePolicySyntax.keys
] as const

/**
 * A phase that is not there.
 *
 * @since 0.1.0
 * @category constructors
 */
export const absent = (autoCommit: boolean): Workflow.Phase => ({
  steps: [],
  timeout_ms: null,
  auto_commit: autoCommit,
  capture_outputs: {}
})

/**
 * `setup` or `reduce`: a list of steps, or an object around one.
 *
 * @since 0.1.0
 * @category readers
 */
export const phase = (
  cursor: YamlCursor.Cursor,
  shared: StepSyntax.Shared,
  options: { readonly autoCommit: boolean; readonly legacyCommands: boolean }
): Workflow.Phase => {
  const nothing = absent(options.autoCommit)
  if (!YamlCursor.isMapping(cursor) || StepSyntax.isStep(cursor)) {
    return { ...nothing, steps: StepSyntax.steps(cursor, shared) }
  }
  const fields = YamlCursor.fields(cursor, {
    known: ["commands", "steps", "timeout", "capture_outputs", "auto_commit"],
    later: ["retry", "env", "checkpoint"]
  })
  if (fields.has("commands") && fields.has("steps")) {
    YamlCursor.error(fields.key("steps"), "`steps` is another name of `commands`, which is given too")
  } else if (!fields.has("commands")) YamlCursor.required(fields, "steps", "a list: `steps: [shell: …]`")
  if (options.legacyCommands && fields.has("commands")) {
    YamlCursor.warn(fields.key("commands"), `\`commands\` under ${cursor.label} is an old spelling`, "write `steps`")
  }
  const list = fields.get("commands") ?? fields.get("steps")
  const timeout = fields.get("timeout")
  const autoCommit = fields.get("auto_commit")
  const outputs = fields.get("capture_outputs")
  return {
    steps: list === undefined ? [] : StepSyntax.steps(list, shared),
    timeout_ms: timeout === undefined ? null : YamlValue.duration(timeout),
    auto_commit: autoCommit === undefined ? options.autoCommit : YamlValue.boolean(autoCommit),
    capture_outputs: outputs === undefined ? {} : captureOutputs(outputs)
  }
}

/**
 * `map`. The failure policy of the top level goes where `map` says nothing.
 *
 * @since 0.1.0
 * @category readers
 */
export const map = (
  cursor: YamlCursor.Cursor,
  shared: StepSyntax.Shared,
  inherited: FailurePolicySyntax.Level
): Workflow.MapPhase => {
  const fields = YamlCursor.fields(cursor, {
    known: mapKeys,
    later: ["verify", "depends_on", "error_collection", "checkpoint", "isolation", "budget", "merge"],
    nullable: ["retry_on_failure"],
    elsewhere: { commands: "did you mean `agent_template`?", steps: "did you mean `agent_template`?" }
  })
  if (fields.has("retry_on_failure")) {
    YamlCursor.warn(fields.key("retry_on_failure"), "`retry_on_failure` does nothing in this version")
  }
  const template = YamlCursor.required(fields, "agent_template", "the steps that each item is handed to")
  const maxParallel = fields.get("max_parallel")
  const autoCommit = fields.get("auto_commit")
  return {
    selection: SelectionSyntax.read(fields),
    agent_template: template === undefined ? [] : agentTemplate(template, { ...shared, inItem: true }),
    max_parallel: maxParallel === undefined ? maxParallelDefault : parallelism(maxParallel),
    agent_timeout_ms: agentTimeout(fields),
    auto_commit: autoCommit === undefined ? true : YamlValue.boolean(autoCommit),
    failure_policy: FailurePolicySyntax.resolve(FailurePolicySyntax.read(fields, shared), inherited)
  }
}

const agentTemplate = (cursor: YamlCursor.Cursor, shared: StepSyntax.Shared): ReadonlyArray<Workflow.Step> => {
  if (!YamlCursor.isMapping(cursor) || StepSyntax.isStep(cursor)) return atLeastOne(cursor, shared, forItems)
  const fields = YamlCursor.fields(cursor, { known: ["commands"] })
  const commands = YamlCursor.required(fields, "commands", "`agent_template` is a list of steps")
  if (commands === undefined) return []
  YamlCursor.warn(
    fields.key("commands"),
    "`agent_template.commands` is an old spelling",
    "write the steps directly under `agent_template`"
  )
  return atLeastOne(commands, shared, forItems)
}

const forItems = "the steps that each item is handed to"

/**
 * A list of at least one step; `hint` says what steps are wanted.
 *
 * @since 0.1.0
 * @category readers
 */
export const atLeastOne = (
  cursor: YamlCursor.Cursor,
  shared: StepSyntax.Shared,
  hint: string
): ReadonlyArray<Workflow.Step> => {
  const before = cursor.source.findings.length
  const steps = StepSyntax.steps(cursor, shared)
  if (steps.length === 0 && cursor.source.findings.length === before) {
    YamlCursor.error(cursor, `${cursor.label} has no steps`, hint)
  }
  return steps
}

const parallelism = (cursor: YamlCursor.Cursor): number | string => {
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "string" && found.includes("$")) return YamlValue.text(cursor)
  return YamlValue.number(cursor, { min: 1, max: maxParallelMax, example: "`8`, or a variable such as `$PARALLEL`" })
}

const agentTimeout = (fields: YamlCursor.Fields): number | null => {
  const given = ["agent_timeout_secs", "timeout_config", "timeout_per_agent"].filter(fields.has)
  for (const second of given.slice(1)) {
    YamlCursor.error(fields.key(second), `the timeout of agents is given twice, first as \`${given[0]}\``)
  }
  if (fields.has("timeout_per_agent")) {
    YamlCursor.warn(fields.key("timeout_per_agent"), "`timeout_per_agent` is an old name", "write `agent_timeout_secs`")
  }
  const direct = fields.get("agent_timeout_secs") ?? fields.get("timeout_per_agent")
  const config = fields.get("timeout_config")
  if (direct !== undefined) return YamlValue.duration(direct)
  if (config === undefined) return null
  const own = YamlCursor.fields(config, {
    known: ["agent_timeout_secs"],
    later: ["command_timeouts", "timeout_policy", "cleanup_grace_period_secs", "timeout_action"]
  })
  const value = own.get("agent_timeout_secs")
  return value === undefined ? null : YamlValue.duration(value)
}

const captureOutputs = (cursor: YamlCursor.Cursor): Readonly<Record<string, string>> => {
  const out: Array<readonly [string, string]> = []
  for (const { at, key, value } of YamlCursor.entries(cursor)) {
    if (key.startsWith("x-")) continue
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) {
      YamlCursor.error(at, `${YamlSource.quoted(key)} cannot be the name of a variable`, "letters, digits and _")
    }
    if (value === null)
      YamlCursor.error(at, `${YamlSource.quoted(key)} has no value`, "a template such as `${last.output}`")
    else out.push([key, YamlValue.text(value)])
  }
  return Object.fromEntries(out)
}
