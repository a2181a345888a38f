/**
 * What the exit codes of curl and wget say about the network.
 *
 * Owns the list. A code means what these programs mean by it only in a script that names one of them: other programs end
 * with the same numbers for other reasons.
 *
 * @since 0.1.0
 */
import type { Nature } from "./Failure.ts"

/**
 * Whether a script names a program whose exit codes are understood.
 *
 * @since 0.1.0
 * @category predicates
 */
export const areTold = (script: string): boolean => programs.some(({ name }) => name.test(script))

/**
 * What an exit code of a script says; undefined for nothing. An answer of the server (`curl -f` 22, `wget` 8) says
 * nothing: it may be a page that is not there.
 *
 * @since 0.1.0
 * @category getters
 */
export const natureOf = (script: string, exitCode: number): Nature | undefined =>
  programs.find(({ codes, name }) => codes.has(exitCode) && name.test(script))?.codes.get(exitCode)

const network = (...codes: ReadonlyArray<number>) => codes.map((code) => [code, "network"] as const)

const programs: ReadonlyArray<{ readonly name: RegExp; readonly codes: ReadonlyMap<number, Nature> }> = [
  {
    name: /(?<![\w.-])curl(?![\w.-])/,
    // Names not found, no connection, TLS, an empty answer, broken off while sending or receiving, HTTP/2.
    codes: new Map([...network(5, 6, 7, 16, 18, 35, 52, 55, 56, 92), [28, "timeout"]])
  },
  { name: /(?<![\w.-])wget(?![\w.-])/, codes: new Map(network(4)) }
]
