/**
 * Completions for shells, written out of the tree of commands: commands where a command stands, options after a dash, files
 * where the tree knows nothing better.
 *
 * @since 0.1.0
 */
import { globalFlags, type Node } from "../CommandTree.ts"
import type { FlagInfo } from "../Flag.ts"

/**
 * The shells there are completions for.
 *
 * @since 0.1.0
 * @category models
 */
export const shells = ["bash", "zsh", "fish"] as const

/**
 * @since 0.1.0
 * @category models
 */
export type Shell = (typeof shells)[number]

/**
 * The script that a shell reads.
 *
 * @since 0.1.0
 * @category rendering
 */
export const completions = <E, R>(root: Node<E, R>, shell: Shell): string => {
  const places = placesOf(root, "")
  switch (shell) {
    case "bash":
      return bash(places)
    case "zsh":
      return zsh(places)
    case "fish":
      return fish(places)
  }
}

/** A command, by the names that lead to it: ` sessions list`; the program itself is the empty text. */
interface Place {
  readonly at: string
  readonly commands: ReadonlyArray<{ readonly name: string; readonly summary: string }>
  readonly flags: ReadonlyArray<FlagInfo>
}

const placesOf = <E, R>(node: Node<E, R>, at: string): ReadonlyArray<Place> => {
  if (node._tag === "Leaf") return [{ at, commands: [], flags: [...node.flags, ...globalFlags] }]
  const commands = node.children.flatMap(({ aliases, name, summary }) =>
    [name, ...aliases].map((name) => ({ name, summary }))
  )
  const below = node.children.flatMap((child) =>
    [child.name, ...child.aliases].flatMap((name) => placesOf(child, `${at} ${name}`))
  )
  return [{ at, commands, flags: globalFlags }, ...below]
}

const long = (place: Place): string => place.flags.map(({ name }) => `--${name}`).join(" ")

const names = (place: Place): string => place.commands.map(({ name }) => name).join(" ")

/** Arms of a `case` that say which texts are places. */
const known = (places: ReadonlyArray<Place>): string =>
  places
    .filter(({ at }) => at !== "")
    .map(({ at }) => `"${at}"`)
    .join("|")

const bash = (places: ReadonlyArray<Place>): string =>
  `# Completions of prodigy for bash: eval "$(prodigy completions bash)"
_prodigy() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at="" commands="" flags="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${known(places)}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at" in
${places.map((place) => `    "${place.at}") commands="${names(place)}" flags="${long(place)}" ;;`).join("\n")}
  esac
  COMPREPLY=()
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ -n $commands ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$cur"))
  fi
}
complete -o default -F _prodigy prodigy`

const zsh = (places: ReadonlyArray<Place>): string =>
  `#compdef prodigy
# Completions of prodigy for zsh: eval "$(prodigy completions zsh)"
_prodigy() {
  local at="" i
  local -a commands flags
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      (${known(places)}) at="$at \${words[i]}" ;;
    esac
  done
  case "$at" in
${places.map((place) => `    ("${place.at}") commands=(${names(place)}) flags=(${long(place)}) ;;`).join("\n")}
  esac
  if [[ $PREFIX == -* ]]; then
    compadd -- $flags
  elif (( \${#commands} )); then
    compadd -- $commands
  else
    _files
  fi
}
compdef _prodigy prodigy`

const fish = (places: ReadonlyArray<Place>): string =>
  [
    "# Completions of prodigy for fish: prodigy completions fish | source",
    "function __prodigy_at",
    '  set -l at ""',
    "  for word in (commandline -opc)[2..-1]",
    '    switch "$at $word"',
    `      case ${places.flatMap(({ at }) => (at === "" ? [] : [`"${at}"`])).join(" ")}`,
    '        set at "$at $word"',
    "    end",
    "  end",
    '  test "$at" = "$argv[1]"',
    "end",
    ...places.flatMap(({ at, commands, flags }) => [
      ...commands.map(
        ({ name, summary }) => `complete -c prodigy -f -n '__prodigy_at "${at}"' -a ${name} -d ${quoted(summary)}`
      ),
      ...flags.map(({ alias, description, name, value }) => {
        const short = alias === null ? "" : ` -s ${alias}`
        const takes = value === null ? "" : " -r"
        return `complete -c prodigy -n '__prodigy_at "${at}"' -l ${name}${short}${takes} -d ${quoted(description)}`
      })
    ])
  ].join("\n")

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
