import * as ErrorSignature from "@prodigy/core/domain/ErrorSignature"
import * as Failure from "@prodigy/core/domain/Failure"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"

const signature = (message: string, cause: Failure.Cause = { error_type: "Unknown" }) =>
  ErrorSignature.fromFailure(Failure.make(cause, message))

const letters = FastCheck.constantFrom("x", "a", "kit", "src", "README", "node_modules", "é", "@scope", "v1.2")
const path = FastCheck.tuple(
  FastCheck.constantFrom("/", "./", "../", "~/", "src/"),
  FastCheck.array(letters, { minLength: 1 }),
  FastCheck.constantFrom("", ":3", ":12:40", "(7,11)")
).map(([root, parts, place]) => `${root}${parts.join("/")}${place}`)
const windowsPath = FastCheck.array(letters, { minLength: 2 }).map((parts) => `C:\\${parts.join("\\")}`)
const fileName = FastCheck.tuple(
  FastCheck.stringMatching(/^[a-z][\w-]{0,20}$/),
  FastCheck.constantFrom("ts", "py", "yaml", "test.js")
).map((parts) => parts.join("."))
const number = FastCheck.oneof(
  FastCheck.nat().map(String),
  FastCheck.nat({ max: 999 }).map((n) => `${n}.5`),
  FastCheck.nat({ max: 999 }).map((n) => `1,${String(n).padStart(3, "0")}`)
)
const hash = FastCheck.stringMatching(/^[0-9a-f]{7,40}$/)
const longId = FastCheck.stringMatching(/^req_01[A-HJ-NP-Z2-9]{20}7$/)
const quoted = FastCheck.tuple(
  FastCheck.constantFrom(["“", "”"], ['"', '"'], ["'", "'"], ["`", "`"]),
  FastCheck.stringMatching(/^[\w ./:@-]*$/)
).map(([[open, close], value]) => `${open}${value}${close}`)
const json = FastCheck.jsonValue().map((value) => JSON.stringify(JSON.stringify(value)))
const date = FastCheck.date({
  min: new Date("1970-01-01T00:00:00Z"),
  max: new Date("2999-12-31T00:00:00Z"),
  noInvalidDate: true
})
const time = FastCheck.oneof(
  date.map((at) => at.toISOString()),
  date.map((at) => at.toISOString().slice(0, 19).replace("T", " ")),
  date.map((at) => at.toISOString().slice(0, 10)),
  date.map((at) => at.toISOString().slice(11, 19)),
  date.map((at) => at.toUTCString())
)
const duration = FastCheck.tuple(
  FastCheck.nat({ max: 9_999 }),
  FastCheck.constantFrom("ms", " ms", "s", " s", ".25 seconds", " minutes", "m 04s", "h30m")
).map((parts) => parts.join(""))
const size = FastCheck.tuple(FastCheck.nat(), FastCheck.constantFrom(" bytes", "B", " KB", ".5 MiB", "GB")).map(
  (parts) => parts.join("")
)
const address = FastCheck.oneof(
  FastCheck.ipV4(),
  FastCheck.tuple(FastCheck.ipV4(), FastCheck.nat({ max: 65_535 })).map((parts) => parts.join(":")),
  FastCheck.constantFrom("::1", "2001:db8::8a2e:370:7334", "[fe80::1]", "0a:1b:2c:3d:4e:5f"),
  FastCheck.tuple(
    FastCheck.stringMatching(/^[a-z][a-z0-9.]{0,9}[a-z]$/),
    FastCheck.constantFrom("x.org", "mail.example.com")
  ).map((parts) => parts.join("@"))
)
const url = FastCheck.webUrl({ withQueryParameters: true }).filter((text) => !/["'`<>|]|[.,;:)\]]$/.test(text))

const stable = <A>(what: string, values: FastCheck.Arbitrary<A>, message: (value: A) => string) =>
  it.prop(`is the same for every ${what}`, [values, values], ([a, b]) => {
    assert.strictEqual(signature(message(a)), signature(message(b)))
  })

describe("ErrorSignature", () => {
  stable("path", path, (value) => `Cannot open ${value}: no such file.`)
  stable("path of Windows", windowsPath, (value) => `Cannot open ${value}: no such file.`)
  stable("name of a file", fileName, (value) => `FAIL ${value} > renders a button`)
  stable("number", number, (value) => `Expected ${value} files but found ${value} of v${value}`)
  stable(
    "memory address",
    FastCheck.nat().map((n) => `0x${n.toString(16)}`),
    (value) => `Segmentation fault at ${value}`
  )
  stable("hash", hash, (value) => `Commit ${value} is not on the branch`)
  stable("long id", longId, (value) => `The server answered 529 (request ${value}).`)
  stable("uuid", FastCheck.uuid(), (value) => `Session ${value} is gone`)
  stable("quoted value", quoted, (value) => `It can't read ${value} of the item`)
  stable("item data in JSON", json, (value) => `The item ${value} was refused`)
  stable("time", time, (value) => `Quota is used up until ${value}.`)
  stable("duration", duration, (value) => `It took ${value} and was killed`)
  stable("size", size, (value) => `It wrote ${value} to the log`)
  stable("address", address, (value) => `connect to ${value} failed`)
  stable("URL", url, (value) => `GET ${value} gave 404`)
  stable(
    "number of paths",
    FastCheck.array(path, { minLength: 1, maxLength: 5 }),
    (paths) => `It conflicts in ${paths.join(", ")} with the parent`
  )

  it("tells different causes, exit codes, steps and texts apart", () => {
    const all = [
      signature("no such file"),
      signature("no such directory"),
      signature("no such file", { error_type: "WorktreeError" }),
      signature("no such file", { error_type: "CommandFailed", exit_code: 1 }),
      signature("no such file", { error_type: "CommandFailed", exit_code: 2 }),
      ErrorSignature.fromFailure(Failure.make({ error_type: "Unknown" }, "no such file", { step: "build" })),
      signature("error TS2345: Argument of type X is not assignable"),
      signature("error: Property is missing in type X")
    ]
    assert.strictEqual(new Set(all).size, all.length)
  })

  // What is kept in dead letters: a change of one of these parts old letters from new ones.
  const known: ReadonlyArray<readonly [message: string, text: string]> = [
    [
      "2026-01-02T03:04:05Z: can't find 'a' in /srv/x.ts:12 (commit 0a1b2c3, 17 tries)",
      "<time>: can't find <value> in <path> (commit <n>, <n> tries)"
    ],
    [
      "The command exited with code 1: Error: Cannot find module './b'",
      "The command exited with code <n>: Error: Cannot find module <value>"
    ],
    ["The step did not end within 600000 ms and was killed.", "The step did not end within <duration> and was killed."],
    [
      "TypeError: Cannot read properties of undefined (reading 'map')",
      "TypeError: Cannot read properties of undefined (reading <value>)"
    ],
    ['The agent failed (error): {"type":"error","mess', "The agent failed (error): {<value>:<value>"],
    ["connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED <address>"],
    ["\u001b[31mFAIL\u001b[0m  src/a.test.ts > renders [1.25s]", "FAIL <path> > renders [<duration>]"],
    ["/usr/bin/bash: line 3: foo: command not found", "<path>: line <n>: foo: command not found"],
    ["src\\a.ts(3,7): error TS2322: Type 'x'", "<path>: error TS<n>: Type <value>"]
  ]
  for (const [message, text] of known) {
    it(`of ${JSON.stringify(message)} keeps the words that people group by`, () => {
      assert.strictEqual(ErrorSignature.common(message), text)
    })
  }

  it("cuts what is long, never through a character", () => {
    const long = ErrorSignature.fromFailure(
      Failure.make({ error_type: "Unknown" }, "🦀 ".repeat(3_000), { step: `x${"🦀".repeat(500)}` })
    )
    assert.isAtMost(long.length, ErrorSignature.charsMax)
    assert.notMatch(long, /[\ud800-\udbff](?![\udc00-\udfff])/)
  })

  it("is quick on a message that is a whole log", () => {
    for (const part of [
      "a",
      "/",
      "'",
      '"',
      "\\",
      "1",
      ":",
      "a:",
      "1.",
      "a.ts",
      "0a-",
      "<n>",
      "[::",
      "Jan 1 ",
      "1h",
      "x@",
      "http://"
    ]) {
      assert.isAtMost(signature(part.repeat(1_000_000)).length, ErrorSignature.charsMax, part)
    }
  })

  it.prop(
    "answers any text with one line that is not empty and not too long",
    [FastCheck.string({ unit: "binary" }), FastCheck.string()],
    ([message, step]) => {
      const made = ErrorSignature.fromFailure(
        Failure.make({ error_type: "CommandFailed", exit_code: 1 }, message, { step })
      )
      assert.isAbove(made.length, 0)
      assert.isAtMost(made.length, ErrorSignature.charsMax)
      assert.notInclude(made, "\n")
    }
  )

  it("survives messages without anything to say", () => {
    assert.strictEqual(signature(""), "Unknown||")
    assert.strictEqual(signature(" \n\t "), "Unknown||")
  })
})
