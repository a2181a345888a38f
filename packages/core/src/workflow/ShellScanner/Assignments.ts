/**
 * Which variables of a script hold a value, and whether the script calculates with them.
 *
 * Bash evaluates what is in a variable when it calculates: `n='a[$(touch x)]'; echo $((n))` runs the command. Owns how a
 * value gets into a variable by name: assignments, declarations, `for`, `read`, `printf -v`, `set`, arguments of functions.
 * Values that go through a pipe, a file or a command substitution are not followed.
 *
 * @since 0.1.0
 */
import { nameOf } from "./Readers.ts"
import type { DataToken, Names, Problem, Word } from "./Word.ts"

/**
 * Why a value that is no whole number cannot stand in arithmetic.
 *
 * @since 0.1.0
 * @category models
 */
export const notANumber = "only a whole number may stand in shell arithmetic, and the value is none"

/**
 * Notes that a variable holds a value. `target` begins with its name.
 *
 * @since 0.1.0
 * @category mutations
 */
export const note = (names: Names, target: string, token: DataToken | null): void => {
  const name = /^(?:@|[A-Za-z_][A-Za-z0-9_]*)/.exec(target)?.[0]
  if (name !== undefined && token !== null && !token.integer && !names.data.has(name)) {
    names.data.set(name, token)
  }
}

/**
 * Looks at names in a text that the shell calculates.
 *
 * @since 0.1.0
 * @category predicates
 */
export const inArithmetic = (names: Names, text: string): Problem | null => {
  for (const name of text.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? []) {
    const token = names.data.get(name)
    if (token !== undefined) return calculated(name, token)
  }
  return null
}

/**
 * Why a variable that holds a value cannot be calculated with.
 *
 * @since 0.1.0
 * @category models
 */
export const calculated = (name: string, token: DataToken): Problem => ({
  token,
  detail: `${notANumber}; it is in \`${name}\`, and bash runs what is in a variable it calculates with: compare by [ "$${name}" -gt 3 ], calculate by expr "$${name}" + 1`
})

/**
 * Notes an assignment at the beginning of a command.
 *
 * @since 0.1.0
 * @category mutations
 */
export const ofWord = (names: Names, word: Word): Problem | null => {
  const [, name = "", subscript = ""] = /^([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]]*)\])?/.exec(word.text) ?? []
  note(names, name, word.data)
  return word.data !== null && !word.data.integer && names.integers.has(name)
    ? calculated(name, word.data)
    : inArithmetic(names, subscript)
}

/**
 * Notes what the words of a command assign.
 *
 * @since 0.1.0
 * @category mutations
 */
export const ofCommand = (names: Names, words: ReadonlyArray<Word>, input: DataToken | null): Problem | null => {
  const name = nameOf(words[0])
  const rest = words.slice(1)
  const data = rest.find((word) => word.data !== null && !word.data.integer)?.data ?? null
  if (/^(?:declare|typeset|local|export|readonly)$/.test(name)) {
    const integers = rest.some((word) => /^-[A-Za-z]*i/.test(word.text))
    for (const word of rest) {
      if (integers) names.integers.add(word.text.split("=")[0] ?? "")
      if (word.text.includes("=") && !word.startsWithData) note(names, word.text, word.data)
    }
  } else if (name === "for" || name === "select") {
    note(names, rest[0]?.text ?? "", data)
  } else if (/^(?:read|mapfile|readarray)$/.test(name)) {
    for (const word of rest) note(names, word.text, input)
  } else if (name === "printf" && rest[0]?.text === "-v") {
    note(names, rest[1]?.text ?? "", data)
  } else if (name === "set" || names.functions.has(name)) {
    note(names, "@", data)
  } else if (name === "let") {
    return inArithmetic(names, rest.map((word) => word.text).join(" "))
  }
  return null
}
