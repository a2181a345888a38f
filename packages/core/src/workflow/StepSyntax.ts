/**
 * Steps as they stand in a workflow file.
 *
 * Owns the keys of a step, its kinds, its defaults and the old spellings of them. Does not own running it.
 *
 * @since 0.1.0
 */
import type * as Workflow from "./Workflow.ts"
import * as CaptureSyntax from "./CaptureSyntax.ts"
import * as Expression from "./Expression.ts"
import * as ValuePath from "./ValuePath.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"

/**
 * What step readers share over one file: the ids met so far, with the line of each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ids extends Map<string, number> {}

/**
 * The kinds of step that this version runs.
 *
 * @since 0.1.0
 * @category models
 */
export const kinds = ["shell", "claude", "write_file"] as const

const laterKinds = ["agent", "foreach", "validate", "workflow"]

const keys: YamlCursor.Keys = {
  known: [
    ...kinds,
    "id",
    "name",
    "when",
    "timeout",
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
    ...laterKinds,
    "retry",
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
export const steps = (cursor: YamlCursor.Cursor, ids: Ids): ReadonlyArray<Workflow.Step> => {
  if (YamlCursor.isMapping(cursor) && isStep(cursor)) {
    YamlCursor.error(cursor, `${cursor.label} must be a list of steps, found one step`, "start it with `- `")
    return []
  }
  return YamlCursor.elements(cursor, "step").flatMap((element) => {
    const read = step(element, ids)
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
  YamlCursor.hasAnyKey(cursor, [...kinds, ...laterKinds, "test"])

/**
 * One step; null when it is one that does nothing any more.
 *
 * @since 0.1.0
 * @category readers
 */
export const step = (cursor: YamlCursor.Cursor, ids: Ids): Workflow.Step | null => {
  if (!YamlCursor.isMapping(cursor)) return bare(cursor)
  return fromFields(cursor, YamlCursor.fields(cursor, keys), ids)
}

const bare = (cursor: YamlCursor.Cursor): Workflow.Step | null => {
  const found = YamlCursor.scalar(cursor)
  if (found === undefined) {
    YamlCursor.error(cursor, `${cursor.label} must be a step, found a list`, "write `- shell: …` or `- claude: …`")
    return null
  }
  const text = YamlCursor.words(cursor)
  if (text.startsWith("/")) return plain(cursor, { kind: "claude", prompt: text })
  if (text.trim() === "") return null
  const short = shorten(text, 40)
  YamlCursor.error(
    cursor,
    `${cursor.label} does not say what runs it: ${YamlSource.quoted(text)}`,
    `write \`shell: ${short}\` or \`claude: /${short}\``
  )
  return null
}

const plain = (cursor: YamlCursor.Cursor, action: Workflow.Action): Workflow.Step => ({
  action,
  id: null,
  name: shortName(action),
  line: YamlCursor.line(cursor),
  when: null,
  timeout_ms: null,
  capture: null,
  output_file: null,
  env: {},
  working_dir: null,
  commit_required: false,
  allow_failure: false,
  on_failure: null,
  on_success: []
})

const fromFields = (cursor: YamlCursor.Cursor, fields: YamlCursor.Fields, ids: Ids): Workflow.Step | null => {
  for (const key of ignored) {
    if (fields.has(key)) YamlCursor.warn(fields.key(key), `\`${key}\` on a step does nothing in this version`)
  }
  const { action, onFailure: testHandler, slash } = readAction(fields)
  const read = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    const value = fields.get(key)
    return value === undefined ? null : reader(value)
  }
  const handler = testHandler ?? fields.get("on_failure")
  if (testHandler !== undefined && fields.has("on_failure")) {
    YamlCursor.error(fields.key("on_failure"), "`on_failure` is given twice, first under `test`")
  }
  const failure = handler === undefined ? { allow: false, handler: null } : onFailure(handler, ids)
  const success = fields.get("on_success")
  const name = slash ? null : read("name", YamlCursor.words)
  const known = {
    id: read("id", (value) => stepId(value, ids)),
    when: read("when", condition),
    timeout_ms: read("timeout", YamlCursor.duration),
    capture: CaptureSyntax.read(fields),
    output_file: read("output_file", YamlCursor.text),
    env: read("env", environment) ?? {},
    working_dir: read(eitherOf(fields, "working_dir", "cwd"), YamlCursor.text),
    commit_required: read("commit_required", YamlCursor.boolean) ?? false,
    allow_failure:
      (read(eitherOf(fields, "allow_failure", "continue_on_error"), YamlCursor.boolean) ?? false) || failure.allow,
    on_failure: failure.handler,
    on_success: success === undefined ? [] : stepOrSteps(success, ids)
  }
  return action === null ? null : { ...plain(cursor, action), ...known, name: name ?? shortName(action) }
}

interface ReadAction {
  readonly action: Workflow.Action | null
  readonly onFailure: YamlCursor.Cursor | undefined
  /** Whether `name` was the name of a slash command. */
  readonly slash: boolean
}

const readAction = (fields: YamlCursor.Fields): ReadAction => {
  const named = [...kinds, "test"].filter((kind) => fields.has(kind))
  const [kind, ...others] = named
  for (const other of others) {
    YamlCursor.error(
      fields.key(other),
      `a step has one kind, and this one is \`${kind}\` and \`${other}\``,
      "make two steps of it"
    )
  }
  const value = kind === undefined ? undefined : fields.get(kind)
  const done = (action: Workflow.Action | null): ReadAction => ({ action, onFailure: undefined, slash: false })
  if (kind !== undefined && fields.has("args")) {
    YamlCursor.error(fields.key("args"), `\`args\` goes with \`name\` alone, not with \`${kind}\``)
  }
  if (kind === undefined) return withoutKind(fields)
  if (value === undefined) return done(null)
  switch (kind) {
    case "shell":
      return done(shell(value))
    case "claude":
      return done({ kind: "claude", prompt: YamlCursor.words(value) })
    case "write_file":
      return done(writeFile(value))
    default:
      return test(fields.key("test"), value)
  }
}

const withoutKind = (fields: YamlCursor.Fields): ReadAction => {
  const nothing: ReadAction = { action: null, onFailure: undefined, slash: false }
  const name = fields.get("name")
  if (name !== undefined && fields.has("args")) {
    const args = fields.get("args")
    const command = YamlCursor.words(name)
    const words = args === undefined ? [] : argumentsOf(args)
    const prompt = [command.startsWith("/") ? command : `/${command}`, ...words].join(" ")
    YamlCursor.warn(
      fields.key("name"),
      "`name` with `args` is an old way to write a slash command",
      `write \`claude: ${shorten(prompt, 60)}\``
    )
    return { action: { kind: "claude", prompt }, onFailure: undefined, slash: true }
  }
  const excused =
    ["analyze", "analysis"].some(fields.has) ||
    kinds.some(fields.misspelt) ||
    YamlCursor.hasAnyKey(fields.cursor, laterKinds)
  if (!excused) {
    YamlCursor.error(
      fields.key(""),
      `${fields.cursor.label} does not say what to do`,
      `a step has one of ${kinds.map((kind) => `\`${kind}\``).join(", ")}`
    )
  }
  return nothing
}

const argumentsOf = (cursor: YamlCursor.Cursor): ReadonlyArray<string> =>
  YamlCursor.isList(cursor)
    ? YamlCursor.elements(cursor, "argument").map((element) => YamlCursor.words(element))
    : [YamlCursor.words(cursor)]

const shell = (cursor: YamlCursor.Cursor): Workflow.Action => {
  if (!YamlCursor.isMapping(cursor)) return { kind: "shell", script: YamlCursor.words(cursor), interpreter: null }
  const fields = YamlCursor.fields(cursor, { known: ["command", "interpreter"] })
  const command = YamlCursor.required(fields, "command")
  const interpreter = fields.get("interpreter")
  return {
    kind: "shell",
    script: command === undefined ? "" : YamlCursor.words(command),
    interpreter: interpreter === undefined ? null : YamlCursor.text(interpreter)
  }
}

const test = (key: YamlCursor.Place, cursor: YamlCursor.Cursor): ReadAction => {
  YamlCursor.warn(key, "`test` is an old name of `shell`", "write `shell: …`, with `on_failure` beside it")
  const done = (script: string, onFailure: YamlCursor.Cursor | undefined): ReadAction => ({
    action: { kind: "shell", script, interpreter: null },
    onFailure,
    slash: false
  })
  if (!YamlCursor.isMapping(cursor)) return done(YamlCursor.words(cursor), undefined)
  const fields = YamlCursor.fields(cursor, { known: ["command", "on_failure"] })
  const command = YamlCursor.required(fields, "command")
  return done(command === undefined ? "" : YamlCursor.words(command), fields.get("on_failure"))
}

const writeFile = (cursor: YamlCursor.Cursor): Workflow.Action => {
  const fields = YamlCursor.fields(cursor, {
    known: ["path", "content", "format", "mode", "create_dirs"],
    nullable: []
  })
  const path = YamlCursor.required(fields, "path")
  const content = YamlCursor.required(fields, "content")
  const format = fields.get("format")
  const mode = fields.get("mode")
  const createDirs = fields.get("create_dirs")
  return {
    kind: "write_file",
    path: path === undefined ? "" : YamlCursor.text(path),
    content: content === undefined ? "" : YamlCursor.words(content, { blank: true }),
    format: format === undefined ? "text" : YamlCursor.literal(format, ["text", "json", "yaml"]),
    mode: mode === undefined ? 0o644 : permissions(mode),
    create_dirs: createDirs === undefined ? false : YamlCursor.boolean(createDirs)
  }
}

// YAML 1.2 reads 0644 as six hundred and forty-four: what counts is what is written.
const permissions = (cursor: YamlCursor.Cursor): number => {
  const written = YamlCursor.words(cursor)
  const digits = /^(?:0o|0)?([0-7]{3})$/.exec(written)?.[1]
  if (digits !== undefined) return Number.parseInt(digits, 8)
  if (written.trim() !== "") {
    YamlCursor.error(
      cursor,
      `${cursor.label} must be permission bits, found ${YamlSource.quoted(written)}`,
      'such as "0644"'
    )
  }
  return 0o644
}

const onFailure = (
  cursor: YamlCursor.Cursor,
  ids: Ids
): { readonly allow: boolean; readonly handler: Workflow.OnFailure | null } => {
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "boolean") return { allow: !found, handler: null }
  const defaults = { max_attempts: 1, retry_original: true, fail_workflow: true }
  if (typeof found === "string") {
    const text = YamlCursor.words(cursor)
    const action: Workflow.Action = text.startsWith("/")
      ? { kind: "claude", prompt: text }
      : { kind: "shell", script: text, interpreter: null }
    return { allow: false, handler: { ...defaults, steps: [plain(cursor, action)] } }
  }
  if (YamlCursor.isMapping(cursor)) return { allow: false, handler: handlerObject(cursor, ids) }
  return { allow: false, handler: { ...defaults, steps: steps(cursor, ids) } }
}

const handlerObject = (cursor: YamlCursor.Cursor, ids: Ids): Workflow.OnFailure => {
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
      : steps(list, ids)
    : [fromFields({ ...cursor, label: "`on_failure`" }, fields, ids)].filter((one) => one !== null)
  if (fields.has("max_retries")) {
    YamlCursor.warn(fields.key("max_retries"), "`max_retries` is an old name", "write `max_attempts`")
  }
  const attempts = fields.get(eitherOf(fields, "max_attempts", "max_retries"))
  const retry = fields.get("retry_original")
  const failWorkflow = fields.get("fail_workflow")
  const cleanup = strategy(fields.get("strategy")) === "cleanup"
  return {
    steps: handler,
    max_attempts: attempts === undefined ? 1 : YamlCursor.number(attempts, { min: 1, max: attemptsMax }),
    retry_original: retry === undefined ? !cleanup : YamlCursor.boolean(retry),
    fail_workflow: failWorkflow === undefined ? true : YamlCursor.boolean(failWorkflow)
  }
}

// `recovery` is what a handler does by default, `cleanup` is a handler after which the step is not run again.
const strategy = (cursor: YamlCursor.Cursor | undefined): string | undefined => {
  if (cursor === undefined) return undefined
  const found = YamlCursor.literal(cursor, ["recovery", "fallback", "cleanup"])
  if (found === "fallback") YamlCursor.later(cursor, "`strategy: fallback`")
  return found
}

const stepOrSteps = (cursor: YamlCursor.Cursor, ids: Ids): ReadonlyArray<Workflow.Step> => {
  if (YamlCursor.isList(cursor)) return steps(cursor, ids)
  const one = step(cursor, ids)
  return one === null ? [] : [one]
}

const stepId = (cursor: YamlCursor.Cursor, ids: Ids): string => {
  const id = YamlCursor.text(cursor)
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

/**
 * An expression that decides about a step or an item.
 *
 * @since 0.1.0
 * @category readers
 */
export const condition = (cursor: YamlCursor.Cursor): string => {
  const source = YamlCursor.words(cursor)
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
    else out.push([entry.key, YamlCursor.words(entry.value, { blank: true })])
  }
  return Object.fromEntries(out)
}

const eitherOf = (fields: YamlCursor.Fields, name: string, synonym: string): string => {
  if (fields.has(name) && fields.has(synonym)) {
    YamlCursor.error(fields.key(synonym), `\`${synonym}\` is another name of \`${name}\`, which is given too`)
  }
  return fields.has(name) ? name : synonym
}

const shortName = (action: Workflow.Action): string => {
  const text = action.kind === "shell" ? action.script : action.kind === "claude" ? action.prompt : action.path
  return shorten(`${action.kind}: ${firstLine(text)}`, 60)
}

const firstLine = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .find((line) => line !== "") ?? ""

const shorten = (text: string, max: number): string => {
  const chars = Array.from(firstLine(text))
  return chars.length > max ? `${chars.slice(0, max - 1).join("")}\u2026` : chars.join("")
}
