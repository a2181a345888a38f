/**
 * Every command where something is wrong with the place it works in: one clear message, and the exit code that scripts
 * are promised. A new command is one line in `cases`.
 */
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { basename, join, relative } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { root } from "../src/Cli.ts"
import { nameOf, pathsOf } from "../src/CommandTree.ts"
import * as ExitCode from "../src/ExitCode.ts"
import * as InProcess from "./InProcess.ts"

interface Case {
  /** What is typed behind the command's name. It succeeds where nothing is wrong. */
  readonly args: () => ReadonlyArray<string>
  /** Lines with an id that nothing goes by; required of a command that takes an id. */
  readonly unknown?: ReadonlyArray<ReadonlyArray<string>>
  /** Needs no repository. */
  readonly anywhere?: boolean
  /** What it exits with when the storage cannot be written. */
  readonly readOnly?: number
  /** Prints what it did, or found, before it fails. */
  readonly tells?: boolean
}

const old = ["--older-than", "0s", "-y"]
const cleaning: Case = { args: () => old, readOnly: 1, tells: true }

const cases: Readonly<Record<string, Case>> = {
  run: { args: () => [workflow.steps, "-y"], unknown: [["--resume", "nope", "-y"], ["nope"]], readOnly: 1 },
  resume: {
    args: () => [stopped(), "-y"],
    unknown: [["nope"], ["latest", "--from-checkpoint", "nope"]],
    readOnly: 1
  },
  "resume-job": {
    args: () => [stopped(), "-y"],
    unknown: [["nope"], ["latest", "--from-checkpoint", "nope"]],
    readOnly: 1
  },
  progress: { args: () => [job], unknown: [["nope"]] },
  logs: { args: () => [job], unknown: [["nope"], ["latest", "--item", "nope"]] },
  explain: { args: () => [job], unknown: [["nope"], ["latest", "nope"]] },
  "sessions list": { args: () => [] },
  "sessions show": { args: () => [job], unknown: [["nope"]] },
  "sessions cancel": { args: () => [stopped(), "-y"], unknown: [["nope", "-y"]], readOnly: 1 },
  "sessions clean": { args: () => ["--all", "-y"], readOnly: 1, tells: true },
  "dlq list": { args: () => [], unknown: [["--job-id", "nope"]] },
  "dlq inspect": { args: () => ["item_1"], unknown: [["nope"], ["item_1", "--job-id", "nope"]] },
  "dlq retry": { args: () => [job, "-y"], unknown: [["nope", "-y"]], readOnly: 1 },
  "dlq analyze": { args: () => [], unknown: [["--job-id", "nope"]] },
  "dlq stats": { args: () => [], unknown: [["--workflow-id", "nope"]] },
  "dlq export": { args: () => [fresh()], unknown: [["nope.json", "--job-id", "nope"]] },
  "dlq purge": {
    args: () => ["--older-than-days", "0", "-y"],
    unknown: [["--older-than-days", "0", "-y", "--job-id", "nope"]],
    readOnly: 1
  },
  "dlq clear": { args: () => [job, "--all", "-y"], unknown: [["nope", "-y"]], readOnly: 1 },
  "events list": {
    args: () => [],
    unknown: [
      ["--job-id", "nope"],
      ["--agent-id", "nope"],
      ["--event-type", "nope"]
    ]
  },
  "events stats": {
    args: () => [],
    unknown: [
      ["--job-id", "nope"],
      ["--agent-id", "nope"]
    ]
  },
  "events search": {
    args: () => ["item"],
    unknown: [
      ["x", "--job-id", "nope"],
      ["x", "--fields", "nope"]
    ]
  },
  // An agent may still come: only the job has to be there.
  "events follow": {
    args: () => [],
    unknown: [
      ["--job-id", "nope"],
      ["--event-type", "nope"]
    ]
  },
  "events export": {
    args: () => [fresh()],
    unknown: [
      ["-", "--job-id", "nope"],
      ["-", "--agent-id", "nope"]
    ]
  },
  "events clean": {
    args: () => ["--archive", ...old],
    unknown: [["--archive", "-y", "--job-id", "nope"]],
    readOnly: 1
  },
  "checkpoints list": { args: () => [], unknown: [["nope"]] },
  "checkpoints show": { args: () => [job], unknown: [["nope"]] },
  "checkpoints validate": { args: () => [], unknown: [["nope"], ["nope", "--repair"]], tells: true },
  "checkpoints clean": { args: () => old, readOnly: 1 },
  "checkpoints delete": { args: () => [checkpoint, "-y"], unknown: [["nope", "-y"]], readOnly: 1 },
  "checkpoints mapreduce": { args: () => [], unknown: [["nope"]] },
  "worktree ls": { args: () => [] },
  "worktree merge": { args: () => ["--all"], unknown: [["nope"]] },
  "worktree clean": { args: () => ["--all"], unknown: [["nope"], ["--all", "--job-id", "nope"]] },
  "worktree clean-orphaned": { args: () => [], unknown: [["nope"]] },
  "clean all": cleaning,
  "clean worktrees": { ...cleaning, readOnly: 0 },
  "clean sessions": cleaning,
  "clean logs": cleaning,
  "clean state": cleaning,
  "clean events": cleaning,
  "clean dlq": { ...cleaning, args: () => [...old, "--force"] },
  storage: { args: () => [], anywhere: true },
  doctor: { args: () => [], anywhere: true, readOnly: 1, tells: true },
  completions: { args: () => ["bash"], anywhere: true }
}

const commands = pathsOf(root).map(({ leaf, path }) => ({ name: nameOf(path.slice(1)), words: path.slice(1), leaf }))

let place: InProcess.Place
let workflow: { readonly stops: string; readonly steps: string; readonly items: string }
/** The newest checkpoint. */
let checkpoint: string
/** The job that came to its end. */
let job: string
let count = 0

const fresh = () => join(place.folder, `new-${count++}.json`)
const below = (directory: string) =>
  readdirSync(join(place.home, directory), { recursive: true, encoding: "utf8" }).map((path) => join(directory, path))
/** The session that has stopped, and has a worktree. */
const stopped = () => basename(below("worktrees/shop").find((path) => basename(path).startsWith("session-")) ?? "none")
/** The only file below a directory of the storage that a pattern fits. */
const only = (directory: string, pattern: RegExp): string => {
  const [found, ...more] = below(directory).filter((path) => pattern.test(path))
  assert.deepStrictEqual(more, [])
  return found ?? assert.fail(`There is no ${pattern} below ${directory}.`)
}

/** The storage and the repository as they were prepared. */
const restore = () => {
  for (const name of ["home", "shop"]) {
    rmSync(join(place.folder, name), { recursive: true, force: true })
    cpSync(join(place.folder, "prepared", name), join(place.folder, name), {
      recursive: true,
      preserveTimestamps: true
    })
  }
}

beforeAll(async () => {
  place = InProcess.open()
  const map = (name: string, lines: string) => `name: ${name}\nmap:\n  input: { items: [1, 2, 3] }\n${lines}`
  workflow = {
    stops: place.file(
      "stops.yml",
      `error_policy: { on_item_failure: stop }\n${map("stops", '  agent_template: [{ shell: "false" }]\n')}`
    ),
    steps: place.file("steps.yml", 'name: steps\ncommands: [{ shell: "echo one > one" }]\n'),
    items: place.file(
      "items.yml",
      `${map("items", "  agent_template: [{ shell: 'test \"${item}\" != 2' }]\n")}reduce: [{ shell: "echo reduced" }]\n`
    )
  }
  for (const file of Object.values(workflow)) await place.prodigy(["run", file, "-y", "--allow-failed"])
  const [newest] = JSON.parse((await place.prodigy(["checkpoints", "list", "--json"])).data).checkpoints
  checkpoint = newest.id
  job = basename(
    below("state/shop/mapreduce/jobs")
      .find((path) => /\/reduce-checkpoint/.test(path))
      ?.replace(/\/[^/]*$/, "") ?? ""
  )
  for (const name of ["home", "shop"]) {
    cpSync(join(place.folder, name), join(place.folder, "prepared", name), {
      recursive: true,
      preserveTimestamps: true
    })
  }
})

afterAll(() => place.close())

/** Mounts the storage upon itself; false where that is not allowed. */
const mounted = (): boolean => {
  try {
    execFileSync("mount", ["--bind", place.home, place.home], { stdio: "ignore" })
    mountable = true
  } catch {
    mountable = false
  }
  return mountable
}
let mountable = false

interface Line {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly path?: string
  readonly json?: boolean
}

const typed = async ({ args, env, json = false, name, path = place.project }: Line): Promise<InProcess.Ended> => {
  const { leaf } = commands.find((command) => command.name === name) ?? assert.fail(`There is no ${name}.`)
  const has = (flag: string) => leaf.flags.some((known) => known.name === flag)
  const line = [
    ...name.split(" "),
    ...args,
    ...(has("path") ? ["--path", path] : []),
    ...(json && has("json") ? ["--json"] : [])
  ]
  return InProcess.run(line, env ?? { PRODIGY_HOME: place.home })
}

interface Expected {
  readonly code: number
  /** Each is in what is said. */
  readonly says?: ReadonlyArray<string | RegExp>
  readonly tells?: boolean | undefined
}

/** What is wrong with how a command ended; empty: nothing. */
const complaints = ({ code, data, notes }: InProcess.Ended, expected: Expected): ReadonlyArray<string> => {
  const lines = notes.split("\n").slice(0, -1)
  const errors = lines.flatMap((line, index) => (line.startsWith("error: ") ? [index] : []))
  const behind = errors[0] === undefined ? [] : lines.slice(errors[0] + 1)
  const failed = code !== 0 && code !== 3
  const all = data + notes
  const rules: ReadonlyArray<readonly [boolean, string]> = [
    [code === expected.code, `it exits with ${code}, not ${expected.code}`],
    [ExitCode.meanings.some(([known]) => known === code), "its exit code is documented nowhere"],
    [errors.length === (failed ? 1 : 0), `it says ${errors.length} errors`],
    [behind.length <= 2 && behind.every((line) => line.startsWith("  ")), "more than a hint stands behind the error"],
    [!failed || behind.length > 0, "nothing says what to do"],
    [!/\n\s+at .*:\d+/.test(all), "a stack trace"],
    [
      !/\bCause\b|FiberFailure|BadResource|SystemError|\b_tag\b|\[object|undefined|a defect of prodigy/.test(all),
      "our own inside"
    ],
    [!failed || expected.tells === true || data === "", "it prints data and fails"],
    ...(expected.says ?? []).map((what): readonly [boolean, string] => [
      typeof what === "string" ? all.includes(what) : what.test(all),
      `it does not say ${what}`
    ])
  ]
  return rules.flatMap(([holds, what]) => (holds ? [] : [what]))
}

/** Types the lines one after the other; each is as expected. */
const all = async (lines: ReadonlyArray<Line & Expected>): Promise<void> => {
  const wrong: Array<string> = []
  for (const line of lines) {
    const ended = await typed(line)
    const found = complaints(ended, line)
    if (found.length > 0) {
      wrong.push(`prodigy ${line.name} ${line.args.join(" ")}: ${found.join("; ")}\n${ended.data}${ended.notes}`)
    }
  }
  assert.deepStrictEqual(wrong, [])
}

const each = (of: (name: string, given: Case) => Partial<Line> & Expected): ReadonlyArray<Line & Expected> =>
  Object.entries(cases).map(([name, given]) => ({
    name,
    args: given.args(),
    tells: given.tells,
    ...of(name, given)
  }))

describe("every command in a bad place", () => {
  it("has a case here", () => {
    const names = commands.map(({ name }) => name)
    assert.deepStrictEqual(Object.keys(cases).toSorted(), names.toSorted(), "a new command needs a line in `cases`")
    const takesId = commands.filter(({ leaf }) =>
      [...leaf.args.map((arg) => arg.name), ...leaf.flags.map((flag) => flag.value)].some((value) =>
        ["ID", "JOB", "ITEM", "CHECKPOINT", "NAME"].includes(value ?? "")
      )
    )
    assert.deepStrictEqual(
      takesId.flatMap(({ name }) => (cases[name]?.unknown === undefined ? [name] : [])),
      [],
      "a command that takes an id needs lines with an unknown one"
    )
  })

  it("says outside of a repository how to name one", async () => {
    const path = join(place.folder, "bare")
    mkdirSync(path)
    const says = [path, "it is not in a git repository", "--path DIR"]
    // A session is gone on with from anywhere by its id: `latest` is of the repository that one is in.
    await all(
      each((_, { anywhere, args }) => ({
        path,
        json: true,
        args: args().map((arg) => (arg.includes("mapreduce-") ? "latest" : arg)),
        ...(anywhere === true ? { code: 0 } : { code: 2, says })
      }))
    )
  })

  it("names an id that nothing goes by, and where to look", async () => {
    const lines = Object.entries(cases).flatMap(([name, { unknown = [] }]) => unknown.map((args) => ({ name, args })))
    await all(
      lines.map((line) => ({ ...line, json: true, code: 2, says: [/\bnope\b/, /prodigy |It has: |Did you mean/] }))
    )
    assert.isFalse(existsSync("nope.json"))
  })

  it("reads a storage that cannot be written, and says so when it has to write", async (context) => {
    restore()
    if (!mounted()) {
      process.stderr.write("\nSKIPPED: no file system can be mounted here, so no storage is read-only.\n")
      return context.skip()
    }
    try {
      execFileSync("mount", ["-o", "remount,ro,bind", place.home])
      await all(
        each((_, { readOnly = 0 }) => ({
          code: readOnly,
          says: readOnly === 0 ? [] : ["read-only file system", place.home]
        }))
      )
    } finally {
      execFileSync("umount", ["--lazy", place.home])
    }
  })

  it("says of a storage that is a file, or below one, what PRODIGY_HOME has to be", async () => {
    const file = place.file("afile", "x")
    const under = join(file, "home")
    // All of them where none could be tried on a read-only storage.
    const some = mountable ? Object.keys(cases).filter((_, index) => index % 4 === 0) : Object.keys(cases)
    const at = (home: string) =>
      each((name) => ({
        env: { PRODIGY_HOME: home },
        ...(name === "completions" ? { code: 0 } : { code: 1, says: [home, /not a directory|ENOTDIR/, "PRODIGY_HOME"] })
      }))
    await all([
      ...at(file).filter(({ name }) => some.includes(name)),
      ...at(under).filter(({ name }) => ["run", "sessions list", "doctor"].includes(name))
    ])
  })

  it("says that there is no home, and never takes the working directory for one", async () => {
    const before = readdirSync(".")
    for (const [env, names] of [
      [{ HOME: "" }, Object.keys(cases)],
      [{ HOME: "dana", PRODIGY_HOME: "" }, ["run", "sessions list"]]
    ] as const) {
      const says = [`HOME is "${env.HOME}"`, "Set PRODIGY_HOME"]
      await all(
        each(() => ({ env, code: 2, says })).filter(({ name }) => (names as ReadonlyArray<string>).includes(name))
      )
    }
    assert.deepStrictEqual(readdirSync("."), before)
  })

  it("takes an empty PRODIGY_HOME for none, and a relative one from where it is typed", async () => {
    restore()
    const dana = join(place.folder, "dana")
    mkdirSync(dana)
    cpSync(place.home, join(dana, ".prodigy"), { recursive: true })
    const home = relative(process.cwd(), place.home)
    await all([
      { name: "sessions list", args: [], env: { HOME: dana, PRODIGY_HOME: "" }, code: 0, says: ["session-mapreduce"] },
      { name: "doctor", args: [], env: { HOME: dana, PRODIGY_HOME: "" }, code: 0, says: [join(dana, ".prodigy")] },
      { name: "sessions list", args: [], env: { PRODIGY_HOME: home }, code: 0, says: ["session-mapreduce"] },
      { name: "doctor", args: [], env: { PRODIGY_HOME: home }, code: 0, says: [place.home] }
    ])
  })
})

/** Commands that read a file, and what they exit with when it is damaged; the others go on as before. */
interface Damage {
  readonly what: string
  readonly file: () => string
  readonly also?: () => string
  readonly readers: Readonly<Record<string, number>>
  readonly others: ReadonlyArray<string>
}

const damages: ReadonlyArray<Damage> = [
  {
    what: "a session file",
    file: () => `sessions/session-${job}.json`,
    readers: { "sessions show": 1, progress: 1, "sessions list": 0, doctor: 1, "clean state": 0, "clean logs": 0 },
    others: ["logs", "explain", "dlq list", "events list", "checkpoints validate", "storage", "worktree ls"]
  },
  {
    // As long as the index can be read, listings need no letter.
    what: "a dead letter, with the index of them",
    file: () => `dlq/shop/${job}/items/item_1.json`,
    also: () => `dlq/shop/${job}/index.jsonl`,
    readers: {
      "dlq list": 1,
      "dlq inspect": 1,
      "dlq analyze": 1,
      "dlq stats": 1,
      "dlq export": 1,
      "dlq retry": 1,
      "dlq purge": 1,
      "dlq clear": 1,
      "clean sessions": 1,
      "clean state": 0,
      "clean dlq": 0
    },
    others: ["logs", "explain", "sessions show", "progress", "events list", "checkpoints validate", "storage"]
  },
  {
    what: "a journal",
    file: () => `state/shop/mapreduce/jobs/${job}/journal.jsonl`,
    readers: { explain: 1, "dlq retry": 1, "checkpoints validate": 1, "checkpoints mapreduce": 0 },
    others: ["sessions list", "sessions show", "progress", "logs", "dlq list", "events list", "checkpoints list"]
  },
  {
    what: "a checkpoint",
    file: () => only(`state/shop/mapreduce/jobs/${job}`, /map-checkpoint-.*\.json$/),
    readers: { "checkpoints list": 0, "checkpoints validate": 1 },
    others: ["sessions list", "progress", "logs", "explain", "dlq list", "events list", "checkpoints show"]
  },
  {
    what: "an event log",
    file: () => only(`events/shop/${job}`, /events-.*\.jsonl$/),
    readers: { "events list": 0, "events stats": 0, "events search": 0, "events follow": 0, "events export": 1 },
    others: ["sessions list", "sessions show", "progress", "logs", "dlq list", "checkpoints validate"]
  },
  {
    // It only says faster what git says too.
    what: "a worktree's record",
    file: () => only("worktrees/shop/.metadata", /\.json$/),
    readers: {},
    others: ["worktree ls", "worktree merge", "sessions list", "progress", "logs", "checkpoints validate", "doctor"]
  }
]

describe("a damaged file", () => {
  for (const { also, file, others, readers, what } of damages) {
    it(`that is ${what} is named by the commands that read it; the others go on`, async () => {
      restore()
      const path = file()
      let touched = true
      const damage = () => {
        for (const one of also === undefined ? [path] : [path, also()]) {
          writeFileSync(join(place.home, one), "{\u0000damaged\n")
        }
      }
      for (const [name, code] of Object.entries(readers)) {
        if (touched) {
          restore()
          damage()
        }
        touched = cases[name]?.readOnly !== undefined
        await all([{ name, args: cases[name]?.args() ?? [], code, tells: true, says: [basename(path), /damaged/] }])
      }
      restore()
      damage()
      await all(others.map((name) => ({ name, args: cases[name]?.args() ?? [], code: 0 })))
    })
  }

  it("that says whose the repository's storage is, is named by whatever needs it", async () => {
    restore()
    writeFileSync(join(place.home, "state/shop/repository.json"), "{\u0000damaged\n")
    const some = [
      "run",
      "resume",
      "progress",
      "sessions list",
      "dlq list",
      "events stats",
      "worktree ls",
      "clean all",
      "doctor"
    ]
    const says = ["state/shop/repository.json is damaged"]
    await all(each(() => ({ code: 1, says })).filter(({ name }) => some.includes(name)))
    await all([{ name: "completions", args: ["bash"], code: 0 }])
  })
})
