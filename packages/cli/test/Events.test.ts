import { assert, describe, it } from "@effect/vitest"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as OutputFile from "../src/OutputFile.ts"
import * as InProcess from "./InProcess.ts"

const workflow = `name: items
map:
  input: { items: ["=1+1", "a,\\"b\\"|c", 3] }
  agent_template: [{ shell: 'test "\${item}" != 3' }]
`

let place: InProcess.Place
let directory: string

beforeAll(async () => {
  place = InProcess.open()
  const file = place.file("items.yml", workflow)
  await place.prodigy(["run", file, "-y", "--allow-failed"])
  const events = join(place.home, "events/shop")
  directory = join(events, readdirSync(events)[0] ?? "")
})

afterAll(() => place.close())

const files = () => readdirSync(directory)
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "")

describe("events", () => {
  it("are exported whole, in formats that others read, to a file or to the standard output", async () => {
    const listed = linesOf((await place.prodigy(["events", "list", "--json"])).data).map((line) => JSON.parse(line))
    assert.isAbove(listed.length, 10)
    const target = join(place.folder, "out.json")
    writeFileSync(target, "old")
    const written = await place.prodigy(["events", "export", target])
    assert.strictEqual(written.code, 0, written.notes)
    assert.strictEqual(written.data, "")
    assert.deepStrictEqual(JSON.parse(readFileSync(target, "utf8")), listed)
    for (const out of [[], ["-"]]) {
      const json = await place.prodigy(["events", "export", ...out])
      assert.deepStrictEqual(JSON.parse(json.data), listed)
    }
    const lines = await place.prodigy(["events", "export", "--format", "jsonl"])
    assert.deepStrictEqual(
      linesOf(lines.data).map((line) => JSON.parse(line)),
      listed
    )
    const none = await place.prodigy(["events", "export", "--event-type", "job_failed"])
    assert.deepStrictEqual(JSON.parse(none.data), [])
    const csv = (await place.prodigy(["events", "export", "--format", "csv", "--event-type", "agent_started"])).data
    assert.strictEqual(linesOf(csv).length, 4)
    const markdown = (await place.prodigy(["events", "export", "--format", "markdown"])).data
    const columns = linesOf(markdown).map((line) => line.replaceAll(/\\./g, "").split("|").length)
    assert.deepStrictEqual([...new Set(columns)], [8])
  })

  it("show a warning for a damaged line and go on; an export that lacks one exits with 1", async () => {
    const [name = ""] = files()
    const path = join(directory, name)
    const whole = readFileSync(path)
    const count = linesOf(whole.toString()).length
    appendFileSync(path, "\u001b[31m{\n")
    for (const command of [["list"], ["stats"], ["search", "item"], ["follow"]]) {
      const ended = await place.prodigy(["events", ...command])
      assert.strictEqual(ended.code, 0, ended.notes)
      assert.include(ended.notes, `warning: ${path}:${count + 1} is damaged`)
      assert.notInclude(ended.notes, "\u001b")
      assert.isNotEmpty(ended.data)
    }
    const target = join(place.folder, "damaged.jsonl")
    const exported = await place.prodigy(["events", "export", target, "--format", "jsonl"])
    assert.strictEqual(exported.code, 1)
    assert.include(exported.notes, `1 of ${count + 1} could not be done: ${path}`)
    assert.strictEqual(linesOf(readFileSync(target, "utf8")).length, count)
    writeFileSync(path, whole)
  })

  it("are not cleaned without saying what goes, nor without being asked; a dry run only tells", async () => {
    const before = files()
    const bare = await place.prodigy(["events", "clean"])
    assert.deepStrictEqual([bare.code, bare.notes.includes("--older-than")], [2, true])
    const unasked = await place.prodigy(["events", "clean", "--older-than", "0s"])
    assert.deepStrictEqual([unasked.code, unasked.notes.includes("--yes is needed")], [2, true])
    const dry = await place.prodigy(["events", "clean", "--older-than", "0s", "--dry-run"])
    assert.strictEqual(dry.code, 0, dry.notes)
    assert.include(dry.data, before[0] ?? "")
    assert.include(dry.data, "would change")
    const wrong = await place.prodigy(["events", "clean", "--max-size", "lots"])
    assert.deepStrictEqual([wrong.code, wrong.notes.includes("a size such as")], [2, true])
    assert.deepStrictEqual(files(), before)
  })

  it("are archived and still shown, then removed, with nothing left", async () => {
    const before = (await place.prodigy(["events", "list", "--json"])).data
    const archived = await place.prodigy(["events", "clean", "--archive", "--yes", "--json"])
    assert.strictEqual(archived.code, 0, archived.notes)
    assert.isAbove(JSON.parse(archived.data).freed_bytes, 1_000)
    assert.isTrue(files().every((name) => name.endsWith(".jsonl.gz")))
    for (const command of [
      ["list", "--json"],
      ["follow", "--json"],
      ["export", "--format", "jsonl"]
    ]) {
      assert.deepStrictEqual(linesOf((await place.prodigy(["events", ...command])).data), linesOf(before))
    }
    const gone = await place.prodigy(["events", "clean", "--older-than", "0s", "--yes"])
    assert.strictEqual(gone.code, 0, gone.notes)
    assert.isFalse(existsSync(directory))
    const empty = await place.prodigy(["events", "list"])
    assert.deepStrictEqual([empty.code, empty.data], [0, ""])
    assert.include(empty.notes, "No such events")
    const again = await place.prodigy(["events", "clean", "--older-than", "0s", "--yes"])
    assert.deepStrictEqual([again.code, again.notes], [0, "There is nothing to clean.\n"])
  })

  it("have one clear message and the right code for what they cannot answer", async () => {
    const commands = [["list"], ["stats"], ["search", "x"], ["follow"], ["export"], ["clean", "--archive", "-y"]]
    const outside = join(place.folder, "outside")
    mkdirSync(outside)
    const settings = { PRODIGY_HOME: place.home }
    const broken = { PRODIGY_HOME: place.file("a-file", "") }
    for (const [command = "", ...rest] of commands) {
      const ask = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = settings) =>
        InProcess.run(["events", command, ...rest, ...args], env)
      const tries = [
        { ended: await ask(["--path", outside]), code: 2, says: "Could not work in" },
        { ended: await ask(["--path", place.project, "--job-id", "mapreduce-1999"]), code: 2, says: "There is no job" },
        { ended: await ask(["--path", place.project, "--job-id", "../../x"]), code: 2, says: "is not an id" },
        { ended: await ask(["--path", place.project], broken), code: 1, says: broken.PRODIGY_HOME }
      ]
      for (const { code, ended, says } of tries) {
        assert.strictEqual(ended.code, code, `${command}: ${ended.notes}`)
        assert.include(ended.notes, says, command)
        assert.match(ended.notes, /^error: [^\n]+\n {2}[^\n]+\n$/, command)
        assert.strictEqual(ended.data, "", command)
      }
    }
  })
})

describe("OutputFile", () => {
  const write = <E>(path: string, text: Stream.Stream<string, E>) =>
    Effect.provide(OutputFile.write(path, text), NodeContext.layer)

  it.effect("leaves what was there when it fails half way or is interrupted", () =>
    Effect.gen(function* () {
      const target = place.file("kept.txt", "old")
      const failing = Stream.concat(Stream.make("new"), Stream.fail("no"))
      assert.strictEqual(yield* Effect.flip(write(target, failing)), "no")
      const endless = yield* Effect.fork(write(target, Stream.concat(Stream.make("new"), Stream.never)))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(endless)
      assert.strictEqual(readFileSync(target, "utf8"), "old")
      assert.deepStrictEqual(
        readdirSync(place.folder).filter((name) => name.includes("kept")),
        ["kept.txt"]
      )
    })
  )

  it.effect("writes through links, and to what is no file", () =>
    Effect.gen(function* () {
      const target = place.file("real.txt", "old")
      const link = join(place.folder, "link.txt")
      symlinkSync(target, link)
      yield* write(link, Stream.make("a", "", "b"))
      assert.strictEqual(readFileSync(target, "utf8"), "ab")
      yield* write("/dev/null", Stream.make("x"))
      const folder = yield* Effect.flip(write(place.folder, Stream.make("x")))
      assert.include(folder.message, "it is a directory")
      const missing = yield* Effect.flip(write(join(place.folder, "no/such/file"), Stream.make("x")))
      assert.strictEqual(missing._tag, "OutputFileError")
    })
  )
})
