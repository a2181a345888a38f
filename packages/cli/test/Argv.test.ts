import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Argv from "../src/Argv.ts"
import { root } from "../src/Cli.ts"

const parse = (line: string) => Argv.parse(root, line === "" ? [] : line.split(" "))

const args = (line: string) =>
  Either.match(parse(line), {
    onLeft: (error) => error.what,
    onRight: (parsed) => (parsed._tag === "Run" ? parsed.args.join(" ") : parsed._tag)
  })

const wrong = (line: string) =>
  Either.match(parse(line), {
    onLeft: ({ suggestions, what }) => ({ what, suggestions }),
    onRight: ({ _tag }) => ({ what: _tag, suggestions: [] })
  })

describe("Argv", () => {
  it("takes options before and after the argument", () => {
    assert.strictEqual(args("run -y wf.yml --max-parallel 4"), "--yes --max-parallel =4 =wf.yml")
    assert.strictEqual(args("run wf.yml --max-parallel=4 -y"), "--max-parallel =4 --yes =wf.yml")
  })

  it("takes short options in every form", () => {
    assert.strictEqual(args("run wf.yml -p dir -yv"), "--path =dir --yes =wf.yml")
    assert.strictEqual(args("run wf.yml -pdir"), "--path =dir =wf.yml")
    assert.strictEqual(args("run wf.yml -p=dir"), "--path =dir =wf.yml")
  })

  it("counts -v wherever it stands", () => {
    const parsed = Either.getOrThrow(parse("-v run -v wf.yml"))
    assert.strictEqual(parsed._tag === "Run" ? parsed.verbosity : -1, 2)
  })

  it("takes what follows -- as it is", () => {
    assert.strictEqual(args("dlq inspect -- --help"), "=--help")
    assert.strictEqual(args("dlq inspect --job-id x -- -y"), "--job-id =x =-y")
  })

  it("knows commands by their aliases", () => {
    assert.strictEqual(args("sessions ls"), "")
    assert.strictEqual(args("events ls --limit 3"), "--limit =3")
  })

  it("suggests the command that was meant", () => {
    assert.deepStrictEqual(wrong("sesions list"), {
      what: 'There is no command "prodigy sesions".',
      suggestions: ["sessions"]
    })
    assert.deepStrictEqual(wrong("dlq lst"), {
      what: 'There is no command "prodigy dlq lst".',
      suggestions: ["list", "ls"]
    })
  })

  it("suggests the option that was meant", () => {
    assert.deepStrictEqual(wrong("run wf.yml --max-paralel 4"), {
      what: "prodigy run has no option --max-paralel.",
      suggestions: ["--max-parallel"]
    })
    assert.deepStrictEqual(wrong("run wf.yml --dryrun"), {
      what: "prodigy run has no option --dryrun.",
      suggestions: ["--dry-run"]
    })
  })

  it("says where an option belongs that stands before the command", () => {
    assert.strictEqual(wrong("--yes run wf.yml").what, "--yes goes after the command: prodigy COMMAND --yes.")
    assert.strictEqual(wrong("-p dir run wf.yml").what, "-p goes after the command: prodigy COMMAND -p.")
  })

  it("suggests no letter for a letter, and names the one that is wrong", () => {
    assert.deepStrictEqual(wrong("run wf.yml -yx"), { what: "prodigy run has no option -x.", suggestions: [] })
    assert.deepStrictEqual(wrong("run wf.yml -xyz"), { what: "prodigy run has no option -x.", suggestions: [] })
    assert.strictEqual(wrong("run wf.yml -y=no").what, '--yes takes no value, but was given "no".')
  })

  it("names what is missing, doubled or too much", () => {
    assert.strictEqual(
      wrong("sessions show").what,
      "ID is missing: A session, a job, the beginning of either, or latest."
    )
    assert.strictEqual(wrong("run a.yml b.yml").what, '"b.yml" is one argument too many.')
    assert.strictEqual(wrong("run a.yml --base").what, "--base needs a value: --base REF.")
    assert.strictEqual(wrong("run a.yml --base --yes").what, "--base needs a value, but --yes follows it.")
    assert.strictEqual(wrong("run a.yml --base x --base y").what, "--base is given more than once.")
    assert.strictEqual(wrong("run a.yml --yes=no").what, '--yes takes no value, but was given "no".')
    assert.match(wrong("sessions").what, /^prodigy sessions needs a command: list, /)
  })

  it("gives help before anything else that may be wrong", () => {
    for (const line of ["", "--help", "-h", "help", "run --help", "run -h --nonsense", "sessions -h", "run a b c -h"]) {
      assert.strictEqual(args(line), "Help", line)
    }
    assert.strictEqual(args("--version"), "Version")
  })

  const value = FastCheck.string({ minLength: 1 }).filter((text) => !/^--?[a-zA-Z]/.test(text))
  const flags = FastCheck.record(
    { base: value, path: value, param: FastCheck.array(value, { maxLength: 3 }), yes: FastCheck.constant(true) },
    { requiredKeys: [] }
  )

  it.prop(
    "reads the same from every order of options and argument",
    { file: value.filter((text) => !text.startsWith("-")), flags, at: FastCheck.nat(8), inline: FastCheck.boolean() },
    ({ at, file, flags, inline }) => {
      const groups: Array<ReadonlyArray<string>> = Object.entries(flags).flatMap(([name, given]) =>
        [given]
          .flat()
          .map((one) => (one === true ? [`--${name}`] : inline ? [`--${name}=${one}`] : [`--${name}`, String(one)]))
      )
      const expected = Object.entries(flags).flatMap(([name, given]) =>
        [given].flat().flatMap((one) => (one === true ? [`--${name}`] : [`--${name}`, `=${one}`]))
      )
      groups.splice(Math.min(at, groups.length), 0, [file])
      const parsed = Either.getOrThrow(Argv.parse(root, ["run", ...groups.flat()]))
      assert.deepStrictEqual(parsed._tag === "Run" ? parsed.args : [], [...expected, `=${file}`])
    }
  )

  it.prop("is total", { argv: FastCheck.array(FastCheck.string()) }, ({ argv }) => {
    assert.isTrue(Either.isEither(Argv.parse(root, argv)))
  })
})
