/**
 * Steps as they stand in a workflow file.
 *
 * Owns the keys of a step, its kinds, its defaults and the old spellings of them. Does not own running it.
 *
 * @since 0.1.0
 */
import * as ActionSyntax from "./ActionSyntax.ts"
import type * as Workflow from "./Workflow.ts"
import * as CaptureSyntax from "./CaptureSyntax.ts"
import * as Expression from "./Expression.ts"
import * as RetrySyntax from "./RetrySyntax.ts"
import * as ValuePath from "./ValuePath.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * What step readers share over one file: the ids met so far, with the line of each, and the `retry_defaults`. `inItem` says
 * that the steps run for items.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shared {
  readonly ids: Map<string, number>
  readonly retry: Workflow.StepRetry | null
  readonly inItem: boolean
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const shared = (): Shared => ({ ids: new Map(), retry: null, inItem: false })

/**
 * As `shared`, with the `retry_defaults` of a workflow.
 *
 * @since 0.1.0
 * @category readers
 */
export const withRetryDefaults = (shared: Shared, defaults: YamlCursor.Cursor): Shared => ({
  ...shared,
  retry: RetrySyntax.step(defaults, (one) => step(one, shared))
})

const keys: YamlCursor.Keys = {
  known: [
    ...ActionSyntax.kinds,
    "id",
    "name",
    "when",
    "timeout",
    "retry",
    ...CaptureSyntax.keys,
    "output_file",
    "env",
    "working_dir",
    "cwd",
    "commit_required",
    "allow_failure",
    "continue_on_error",
    "on_failure",
    "on_success",
    "test",
    "args",
    "analyze",
    "analysis",
    "metadata",
    "outputs",
    "retry_on_failure"
  ],
  later: [
    ...ActionSyntax.laterKinds,
    "on_exit_code",
    "auto_commit",
    "commit_config",
    "output_schema",
    "budget",
    "depends_on"
  ],
  nullable: ["analyze", "analysis", "metadata", "outputs", "retry_on_failure"],
  elsewhere: {
    command: "a step runs `shell: …` or `claude: …`",
    attempts: "`attempts` goes under `retry`",
    backoff: "`backoff` goes under `retry`",
    retry_on: "`retry_on` goes under `retry`",
    run: "did you mean `shell`?",
    prompt: "did you mean `claude`?",
    max_attempts: "`max_attempts` goes under `on_failure`",
    fail_workflow: "`fail_workflow` goes under `on_failure`",
    retry_original: "`retry_original` goes under `on_failure`"
  }
}

const ignored = ["analyze", "analysis", "metadata", "outputs", "retry_on_failure"]

const handlerKeys = ["max_attempts", "max_retries", "retry_original", "fail_workflow", "strategy"]

/**
 * Longest handler loop that may be asked for.
 *
 * @since 0.1.0
 * @category models
 */
export const attemptsMax = 1000

/**
 * A list of steps.
 *
 * @since 0.1.0
 * @category readers
 */
export const steps = (cursor: YamlCursor.Cursor, shared: Shared): ReadonlyArray<Workflow.Step> => {
  if (YamlCursor.isMapping(cursor) && isStep(cursor)) {
    YamlCursor.error(cursor, `${cursor.label} must be a list of steps, found one step`, "start it with `- `")
    return []
  }
  return YamlCursor.elements(cursor, "step").flatMap((element) => {
    const read = step(element, shared)
    return read === null ? [] : [read]
  })
}

/**
 * Whether a mapping looks like a step: it names a kind of step.
 *
 * @since 0.1.0
 * @category refinements
 */
export const isStep = (cursor: YamlCursor.Cursor): boolean =>
  YamlCursor.hasAnyKey(cursor, [...ActionSyntax.kinds, ...ActionSyntax.laterKinds, "test"])

/**
 * One step; null when it is one that does nothing any more.
 *
 * @since 0.1.0
 * @category readers
 */
export const step = (cursor: YamlCursor.Cursor, shared: Shared): Workflow.Step | null => {
  if (!YamlCursor.isMapping(cursor)) return bare(cursor, shared)
  return fromFields(cursor, YamlCursor.fields(cursor, keys), shared)
}

const bare = (cursor: YamlCursor.Cursor, shared: Shared): Workflow.Step | null => {
  const found = YamlCursor.scalar(cursor)
  if (found === undefined) {
    YamlCursor.error(cursor, `${cursor.label} must be a step, found a list`, "write `- shell: …` or `- claude: …`")
    return null
  }
  const text = YamlValue.words(cursor)
  if (text.startsWith("/")) return plain(cursor, { kind: "claude", prompt: text }, shared)
  if (text.trim() === "") return null
  const short = ActionSyntax.shorten(text, 40)
  YamlCursor.error(
    cursor,
    `${cursor.label} does not say what runs it: ${YamlSource.quoted(text)}`,
    `write \`shell: ${short}\` or \`claude: /${short}\``
  )
  return null
}

const plain = (cursor: YamlCursor.Cursor, action: Workflow.Action, shared: Shared): Workflow.Step => ({
  action,
  id: null,
  name: ActionSyntax.shortName(action),
  line: YamlCursor.line(cursor),
  when: null,
  timeout_ms: null,
  retry: shared.retry,
  capture: null,
  output_file: null,
  env: {},
  working_dir: null,
  commit_required: false,
  allow_failure: false,
  on_failure: null,
  on_success: []
})

const fromFields = (cursor: YamlCursor.Cursor, fields: YamlCursor.Fields, shared: Shared): Workflow.Step | null => {
  for (const key of ignored) {
    if (fields.has(key)) YamlCursor.warn(fields.key(key), `\`${key}\` on a step does nothing in this version`)
  }
  const { action, onFailure: testHandler, slash } = ActionSyntax.read(fields, shared)
  const read = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    const value = fields.get(key)
    return value === undefined ? null : reader(value)
  }
  const handler = testHandler ?? fields.get("on_failure")
  if (testHandler !== undefined && fields.has("on_failure")) {
    YamlCursor.error(fields.key("on_failure"), "`on_failure` is given twice, first under `test`")
  }
  const failure = handler === undefined ? { allow: false, handler: null } : onFailure(handler, afterFailure(shared))
  const success = fields.get("on_success")
  const name = slash ? null : read("name", YamlValue.words)
  const known = {
    id: read("id", (value) => stepId(value, shared.ids)),
    when: read("when", condition),
    timeout_ms: read("timeout", YamlValue.duration),
    retry: fields.has("retry")
      ? read("retry", (value) => ownRetry(value, fields.key("retry"), action, shared))
      : shared.retry,
    capture: CaptureSyntax.read(fields),
    output_file: read("output_file", YamlValue.text),
    env: read("env", environment) ?? {},
    working_dir: read(eitherOf(fields, "working_dir", "cwd"), YamlValue.text),
    commit_required: read("commit_required", YamlValue.boolean) ?? false,
    allow_failure:
      (read(eitherOf(fields, "allow_failure", "continue_on_error"), YamlValue.boolean) ?? false) || failure.allow,
    on_failure: failure.handler,
    on_success: success === undefined ? [] : stepOrSteps(success, shared)
  }
  return action === null
    ? null
    : { ...plain(cursor, action, shared), ...known, name: name ?? ActionSyntax.shortName(action) }
}

const ownRetry = (
  cursor: YamlCursor.Cursor,
  key: YamlCursor.Place,
  action: Workflow.Action | null,
  shared: Shared
): Workflow.StepRetry | null => {
  const retry = RetrySyntax.step(cursor, (one) => step(one, afterFailure(shared)))
  if (action !== null && retry !== null) RetrySyntax.warnOfUntold(key, retry, action)
  return retry
}

/**
 * As `shared`, for steps that follow a failure: they inherit no `retry`. Tries of tries would take for ever.
 *
 * @since 0.1.0
 * @category combinators
 */
export const afterFailure = (shared: Shared): Shared => ({ ...shared, retry: null })

const onFailure = (
  cursor: YamlCursor.Cursor,
  shared: Shared
): { readonly allow: boolean; readonly handler: Workflow.OnFailure | null } => {
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "boolean") return { allow: !found, handler: null }
  const defaults = { max_attempts: 1, retry_original: true, fail_workflow: true }
  if (typeof found === "string") {
    const text = YamlValue.words(cursor)
    const action: Workflow.Action = text.startsWith("/")
      ? { kind: "claude", prompt: text }
      : { kind: "shell", script: text, interpreter: null }
    return { allow: false, handler: { ...defaults, steps: [plain(cursor, action, shared)] } }
  }
  if (YamlCursor.isMapping(cursor)) return { allow: false, handler: handlerObject(cursor, shared) }
  return { allow: false, handler: { ...defaults, steps: steps(cursor, shared) } }
}

const handlerObject = (cursor: YamlCursor.Cursor, shared: Shared): Workflow.OnFailure => {
  const hasList = YamlCursor.hasAnyKey(cursor, ["commands", "steps"])
  const own = { known: [...handlerKeys, "commands", "steps"] }
  const fields = YamlCursor.fields(
    cursor,
    hasList ? own : { ...keys, known: [...keys.known, ...handlerKeys, "commands", "steps"] }
  )
  const list = fields.get(eitherOf(fields, "commands", "steps"))
  const handler = hasList
    ? list === undefined
      ? []
      : steps(list, shared)
    : [fromFields({ ...cursor, label: "`on_failure`" }, fields, shared)].filter((one) => one !== null)
  if (fields.has("max_retries")) {
    YamlCursor.warn(fields.key("max_retries"), "`max_retries` is an old name", "write `max_attempts`")
  }
  const attempts = fields.get(eitherOf(fields, "max_attempts", "max_retries"))
  const retry = fields.get("retry_original")
  const failWorkflow = fields.get("fail_workflow")
  const cleanup = strategy(fields.get("strategy")) === "cleanup"
  return {
    steps: handler,
    max_attempts: attempts === undefined ? 1 : YamlValue.number(attempts, { min: 1, max: attemptsMax }),
    retry_original: retry === undefined ? !cleanup : YamlValue.boolean(retry),
    fail_workflow: failWorkflow === undefined ? true : YamlValue.boolean(failWorkflow)
  }
}

// `recovery` is what a handler does by default, `cleanup` is a handler after which the step is not run again.
const strategy = (cursor: YamlCursor.Cursor | undefined): string | undefined => {
  if (cursor === undefined) return undefined
  const found = YamlValue.literal(cursor, ["recovery", "fallback", "cleanup"])
  if (found === "fallback") YamlCursor.later(cursor, "`strategy: fallback`")
  return found
}

const stepOrSteps = (cursor: YamlCursor.Cursor, shared: Shared): ReadonlyArray<Workflow.Step> => {
  if (YamlCursor.isList(cursor)) return steps(cursor, shared)
  const one = step(cursor, shared)
  return one === null ? [] : [one]
}

const stepId = (cursor: YamlCursor.Cursor, ids: Shared["ids"]): string => {
  const id = YamlValue.text(cursor)
  if (id !== "" && ValuePath.nameAt(id, 0) !== id) {
    YamlCursor.error(
      cursor,
      `${cursor.label} must be a name, found ${YamlSource.quoted(id)}`,
      "a name is letters, digits, _ and inner -, and starts with no digit"
    )
  }
  const before = ids.get(id)
  if (before === undefined) ids.set(id, YamlCursor.line(cursor))
  else if (id !== "") {
    YamlCursor.error(cursor, `two steps have the id ${YamlSource.quoted(id)}, the first in line ${before}`)
  }
  return id
}

const condition = (cursor: YamlCursor.Cursor): string => {
  const source = YamlValue.words(cursor)
  if (source.trim() === "") return source
  const parsed = Expression.parse(source)
  if (parsed._tag === "Left") {
    const place = YamlCursor.within(cursor, source, Math.max(0, parsed.left.column - 1))
    YamlCursor.error(place, `${cursor.label}: ${parsed.left.detail}`)
  }
  return source
}

/**
 * Environment variables: names to texts, numbers and truth values, each taken as it is written.
 *
 * @since 0.1.0
 * @category readers
 */
export const environment = (cursor: YamlCursor.Cursor): Readonly<Record<string, string>> => {
  const out: Array<readonly [string, string]> = []
  for (const entry of YamlCursor.entries(cursor)) {
    if (entry.key.startsWith("x-")) continue
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(entry.key)) {
      YamlCursor.error(
        entry.at,
        `${YamlSource.quoted(entry.key)} cannot be the name of an environment variable`,
        "a name is letters, digits and _, and starts with no digit"
      )
    } else if (entry.value === null) out.push([entry.key, ""])
    else if (YamlCursor.isMapping(entry.value)) YamlCursor.later(entry.at, "a value that is computed")
    else out.push([entry.key, YamlValue.words(entry.value, { blank: true })])
  }
  return Object.fromEntries(out)
}

const eitherOf = (fields: YamlCursor.Fields, name: string, synonym: string): string => {
  if (fields.has(name) && fields.has(synonym)) {
    YamlCursor.error(fields.key(synonym), `\`${synonym}\` is another name of \`${name}\`, which is given too`)
  }
  return fields.has(name) ? name : synonym
}
