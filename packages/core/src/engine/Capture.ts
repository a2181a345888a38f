/**
 * What a step leaves behind in variables.
 *
 * Pure: from an output to the values of `capture`, `<kind>.output`, `last.*` and `steps.<id>.*`.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import { RE2JS } from "re2js"
import type { Truncated } from "../agent/Output.ts"
import type { Json } from "../domain/WorkItem.ts"
import * as Placeholder from "../workflow/Placeholder.ts"
import * as JsonPath from "../workflow/WorkItems/JsonPath.ts"
import { type Capture, followers, type Step } from "../workflow/Workflow.ts"

/**
 * How a step ended, as later steps can see it.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepOutput {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  readonly success: boolean
  readonly durationMillis: number
  readonly truncated: Truncated
}

/**
 * The value that a capture gives, or why the output is not what the capture says.
 *
 * @since 0.1.0
 * @category capturing
 */
export const value = (capture: Capture, output: StepOutput, bytesMax: number): Either.Either<Json, string> => {
  // Half of an output is no value, whatever is looked for in it.
  if (output.truncated.stdout || (output.truncated.stderr && capture.streams.includes("stderr"))) {
    const held = `the step printed more than the ${sizeOf(bytesMax)} that ${capture.name} can hold`
    return Either.left(`${held}; to keep all of its output, use output_file`)
  }
  const read = Either.flatMap(pick(capture, output.stdout), (text) => parse(capture, text))
  const fallback = capture.default
  const main: Either.Either<Json, string> =
    Either.isLeft(read) && fallback !== undefined ? Either.right(fallback) : read
  if (capture.streams.length === 0) return main
  return Either.map(main, (parsed) => {
    const streams: Record<string, Json> = { output: parsed }
    for (const stream of capture.streams) streams[stream] = streamOf(stream, output)
    return streams
  })
}

const streamOf = (stream: Capture["streams"][number], output: StepOutput): Json => {
  switch (stream) {
    case "stdout":
      return trimEnd(output.stdout)
    case "stderr":
      return trimEnd(output.stderr)
    case "exit_code":
      return output.exitCode
    case "success":
      return output.success
    case "duration":
      return output.durationMillis / 1000
  }
}

const pick = (capture: Capture, text: string): Either.Either<string, string> => {
  if (capture.pattern === null) return Either.right(text)
  const { name, pattern } = capture
  const compiled = Either.try({
    try: () => RE2JS.compile(pattern, RE2JS.MULTILINE),
    catch: (error) => `the pattern of ${name} cannot be read: ${String(error)}`
  })
  return Either.flatMap(compiled, (regex) => {
    const matcher = regex.matcher(text)
    if (!matcher.find()) return Either.left(`the output has no match for the pattern of ${name}`)
    return Either.right(matcher.group(matcher.groupCount() > 0 ? 1 : 0) ?? "")
  })
}

const parse = (capture: Capture, text: string): Either.Either<Json, string> => {
  const trimmed = trimEnd(text)
  switch (capture.format) {
    case "string":
      return Either.right(trimmed)
    case "lines":
      return Either.right(trimmed.split("\n").filter((line) => line !== ""))
    case "number": {
      const number = Number(trimmed.trim())
      return trimmed.trim() === "" || !Number.isFinite(number)
        ? Either.left(`${capture.name} is to be a number, but the output is ${quote(trimmed)}`)
        : Either.right(number)
    }
    case "boolean": {
      const word = trimmed.trim().toLowerCase()
      if (["true", "yes", "1"].includes(word)) return Either.right(true)
      if (["false", "no", "0", ""].includes(word)) return Either.right(false)
      return Either.left(`${capture.name} is to be a boolean, but the output is ${quote(trimmed)}`)
    }
    case "json":
      return Either.flatMap(parseJson(capture.name, trimmed), (json) =>
        capture.json_path === null ? Either.right(json) : query(capture.name, capture.json_path, json)
      )
  }
}

const parseJson = (name: string, text: string): Either.Either<Json, string> =>
  Either.try({
    try: (): Json => JSON.parse(text),
    catch: () => `${name} is to be JSON, but the output is ${quote(text)}`
  })

/** One node gives its value, several give an array. */
const query = (name: string, path: string, json: Json): Either.Either<Json, string> =>
  JsonPath.compile(path).pipe(
    Either.mapLeft(({ detail }) => `the json_path of ${name} cannot be read: ${detail}`),
    Either.flatMap((select) => select(json)),
    Either.flatMap((values) => {
      if (values.length === 0) return Either.left(`the output has nothing at ${path}, the json_path of ${name}`)
      return Either.right(values.length === 1 ? values[0]! : values)
    })
  )

const sizeOf = (bytes: number): string =>
  bytes >= 1024 ** 2 && bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2} MiB` : `${bytes} bytes`

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

const trimEnd = (text: string): string => text.replace(/[\r\n]+$/, "")

/**
 * The variables that every step leaves: `<kind>.output`, `last.*` and, with an id, `steps.<id>.*`.
 *
 * @since 0.1.0
 * @category capturing
 */
export const outputs = (
  step: Step,
  output: StepOutput,
  steps: Json | undefined,
  commits: ReadonlyArray<string>
): Readonly<Record<string, Json>> => {
  const seen: Json = {
    output: trimEnd(output.stdout),
    exit_code: output.exitCode,
    success: output.success,
    commits
  }
  const known = typeof steps === "object" && steps !== null && !Array.isArray(steps) ? steps : {}
  return {
    [step.action.kind]: seen,
    last: seen,
    ...(step.id === null ? {} : { steps: { ...known, [step.id]: seen } })
  }
}

/**
 * All texts of a step, those that follow from it left out, in which variables can be named.
 *
 * @since 0.1.0
 * @category getters
 */
export const textsOf = (step: Step): ReadonlyArray<string> => [
  ...(step.action.kind === "shell" ? [step.action.script] : []),
  ...(step.action.kind === "claude" ? [step.action.prompt] : []),
  ...(step.action.kind === "write_file" ? [step.action.content, step.action.path] : []),
  step.when ?? "",
  step.working_dir ?? "",
  step.output_file ?? "",
  ...Object.values(step.env)
]

/**
 * Whether any text of these steps, or of those that follow from them, or of `more`, asks which commits a step made: by
 * `.commits`, or by all that a step leaves (`${last}`, `${steps.build:json}`).
 *
 * @since 0.1.0
 * @category getters
 */
export const asksForCommits = (steps: ReadonlyArray<Step>, more: ReadonlyArray<string> = []): boolean =>
  more.some(namesCommits) || steps.some((step) => textsOf(step).some(namesCommits) || asksForCommits(followers(step)))

const namesCommits = (text: string): boolean => {
  if (/\bcommits\b/.test(text)) return true
  for (let at = text.indexOf("$"); at >= 0; at = text.indexOf("$", at + 1)) {
    const found = Either.getOrElse(Placeholder.scan(text, at), () => null)
    const [root, ...below] = found?.path.segments ?? []
    if (root === "steps" ? below.length < 2 : typeof root === "string" && kinds.has(root) && below.length === 0)
      return true
  }
  return false
}

const kinds: ReadonlySet<string> = new Set(["shell", "claude", "write_file", "last"])
