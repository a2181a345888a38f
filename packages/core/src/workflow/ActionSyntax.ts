/**
 * What a step does, as it stands in a workflow file: `shell`, `claude`, `write_file`, and the old spellings of them.
 *
 * @since 0.1.0
 */
import * as ScriptText from "./ScriptText.ts"
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * The kinds of step that this version runs.
 *
 * @since 0.1.0
 * @category models
 */
export const kinds = ["shell", "claude", "write_file"] as const

/**
 * The kinds of step of later versions.
 *
 * @since 0.1.0
 * @category models
 */
export const laterKinds = ["agent", "foreach", "validate", "workflow"]

/**
 * What a step does, as far as it could be read.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadAction {
  readonly action: Workflow.Action | null
  /** The `on_failure` of an old `test`. */
  readonly onFailure: YamlCursor.Cursor | undefined
  /** Whether `name` was the name of a slash command. */
  readonly slash: boolean
}

/**
 * The action of a step: exactly one kind, or an old spelling of one.
 *
 * @since 0.1.0
 * @category readers
 */
export const read = (fields: YamlCursor.Fields, options: { readonly inItem: boolean }): ReadAction => {
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
      return done(shell(value, options))
    case "claude":
      return done({ kind: "claude", prompt: YamlValue.words(value) })
    case "write_file":
      return done(writeFile(value))
    default:
      return test(fields.key("test"), value)
  }
}

/**
 * A short form of an action for people, such as `shell: npm test`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const shortName = (action: Workflow.Action): string => {
  const text = action.kind === "shell" ? action.script : action.kind === "claude" ? action.prompt : action.path
  return shorten(`${action.kind}: ${firstLine(text)}`, 60)
}

/**
 * The first line of a text that is not blank, cut to `max` characters.
 *
 * @since 0.1.0
 * @category rendering
 */
export const shorten = (text: string, max: number): string => {
  const chars = Array.from(firstLine(text).replace(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, " "))
  return chars.length > max ? `${chars.slice(0, max - 1).join("")}\u2026` : chars.join("")
}

const withoutKind = (fields: YamlCursor.Fields): ReadAction => {
  const nothing: ReadAction = { action: null, onFailure: undefined, slash: false }
  const name = fields.get("name")
  if (name !== undefined && fields.has("args")) {
    const args = fields.get("args")
    const command = YamlValue.words(name)
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
    ? YamlCursor.elements(cursor, "argument").map((element) => YamlValue.words(element))
    : [YamlValue.words(cursor)]

const shell = (cursor: YamlCursor.Cursor, options: { readonly inItem: boolean }): Workflow.Action => {
  if (!YamlCursor.isMapping(cursor)) return { kind: "shell", script: YamlValue.words(cursor), interpreter: null }
  const fields = YamlCursor.fields(cursor, { known: ["command", "interpreter"] })
  const command = YamlCursor.required(fields, "command")
  const program = fields.get("interpreter")
  const script = command === undefined ? "" : YamlValue.words(command)
  const interpreter = program === undefined ? null : YamlValue.text(program)
  if (command !== undefined && !ScriptText.isShell(interpreter)) {
    for (const placeholder of ScriptText.dataIn(script, options)) {
      const { hint, message } = ScriptText.refusal(placeholder)
      YamlCursor.error(YamlCursor.within(command, script, placeholder.offset), `${command.label}: ${message}`, hint)
    }
  }
  return { kind: "shell", script, interpreter }
}

const test = (key: YamlCursor.Place, cursor: YamlCursor.Cursor): ReadAction => {
  YamlCursor.warn(key, "`test` is an old name of `shell`", "write `shell: …`, with `on_failure` beside it")
  const done = (script: string, onFailure: YamlCursor.Cursor | undefined): ReadAction => ({
    action: { kind: "shell", script, interpreter: null },
    onFailure,
    slash: false
  })
  if (!YamlCursor.isMapping(cursor)) return done(YamlValue.words(cursor), undefined)
  const fields = YamlCursor.fields(cursor, { known: ["command", "on_failure"] })
  const command = YamlCursor.required(fields, "command")
  return done(command === undefined ? "" : YamlValue.words(command), fields.get("on_failure"))
}

const writeFile = (cursor: YamlCursor.Cursor): Workflow.Action => {
  const fields = YamlCursor.fields(cursor, { known: ["path", "content", "format", "mode", "create_dirs"] })
  const path = YamlCursor.required(fields, "path")
  const content = YamlCursor.required(fields, "content")
  const format = fields.get("format")
  const mode = fields.get("mode")
  const createDirs = fields.get("create_dirs")
  return {
    kind: "write_file",
    path: path === undefined ? "" : YamlValue.text(path),
    content: content === undefined ? "" : YamlValue.words(content, { blank: true }),
    format: format === undefined ? "text" : YamlValue.literal(format, ["text", "json", "yaml"]),
    mode: mode === undefined ? 0o644 : permissions(mode),
    create_dirs: createDirs === undefined ? false : YamlValue.boolean(createDirs)
  }
}

// YAML 1.2 reads 0644 as six hundred and forty-four: what counts is what is written.
const permissions = (cursor: YamlCursor.Cursor): number => {
  const written = YamlValue.words(cursor)
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

const firstLine = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .find((line) => line !== "") ?? ""
