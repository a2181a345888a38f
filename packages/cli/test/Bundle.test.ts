import { assert, describe, it } from "@effect/vitest"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"

const launcher = fileURLToPath(new URL("../bin/prodigy.js", import.meta.url))
const version: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version

let place = ""

beforeAll(() => {
  execFileSync(process.execPath, [fileURLToPath(new URL("../scripts/bundle.mjs", import.meta.url))])
  place = realpathSync(mkdtempSync(join(tmpdir(), "prodigy-bundle-")))
  mkdirSync(join(place, "repository"))
  execFileSync("git", ["init", "-q", "-b", "main"], { cwd: join(place, "repository") })
  const commit = ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "start"]
  execFileSync("git", commit, { cwd: join(place, "repository") })
})

afterAll(() => rmSync(place, { recursive: true, force: true }))

const prodigy = (args: ReadonlyArray<string>, cwd = join(place, "repository")) => {
  const env = { PATH: process.env.PATH, HOME: place, PRODIGY_HOME: join(place, "home") }
  const { status, stderr, stdout } = spawnSync(process.execPath, [launcher, ...args], { cwd, env, encoding: "utf8" })
  return { code: status, stdout, stderr }
}

describe("the bundled command", () => {
  it("says its version, with and without the bundle's help", () => {
    assert.deepStrictEqual(prodigy(["--version"]), { code: 0, stdout: `${String(version)}\n`, stderr: "" })
    assert.deepStrictEqual(prodigy(["sessions", "-V"]), { code: 0, stdout: `${String(version)}\n`, stderr: "" })
  })

  it("starts from the bytecode of its build, and without it when that is damaged or of another bundle", () => {
    const copy = join(place, "copy")
    cpSync(dirname(dirname(launcher)), copy, { recursive: true, filter: (path) => !/\/(chaos|src|test)$/.test(path) })
    const says = `const { load } = await import(${JSON.stringify(`${copy}/bin/load.js`)}); console.error(load().cached)`
    const start = () =>
      spawnSync(process.execPath, ["--input-type=module", "-", "sessions", "-V"], { input: says, encoding: "utf8" })
    const answer = (cached: boolean) => ({ stdout: `${String(version)}\n`, stderr: `${cached}\n` })
    const heard = () => {
      const { stderr, stdout } = start()
      return { stdout, stderr }
    }
    assert.deepStrictEqual(heard(), answer(true))
    const cache = join(copy, "dist/prodigy.cache")
    const whole = readFileSync(cache)
    for (const at of [0, 31, 32, whole.length >> 1, whole.length - 1]) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 0x40
      writeFileSync(cache, damaged)
      assert.deepStrictEqual(heard(), answer(false), `byte ${at}`)
    }
    for (const left of [whole.subarray(0, 1_000_000), Buffer.alloc(0)]) {
      writeFileSync(cache, left)
      assert.deepStrictEqual(heard(), answer(false))
    }
    writeFileSync(cache, whole)
    appendFileSync(join(copy, "dist/prodigy.cjs"), " ")
    assert.deepStrictEqual(heard(), answer(false))
    rmSync(cache)
    assert.deepStrictEqual(heard(), answer(false))
  })

  it("helps on standard output, without colours", () => {
    const { code, stderr, stdout } = prodigy(["--help"])
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.match(stdout, /^Run a workflow over many work items/)
    assert.notInclude(stdout, "\u001b")
  })

  const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
    [["sesions", "list"], 'error: There is no command "prodigy sesions".\n  Did you mean sessions?\n'],
    [["run", "wf.yml", "--dryrun"], "error: prodigy run has no option --dryrun.\n  Did you mean --dry-run?\n"],
    [["run"], "error: FILE is missing: The workflow, a YAML file.\n  See: prodigy run --help\n"],
    [
      ["run", "wf.yml", "--max-parallel", "0"],
      'error: --max-parallel "0" is not a whole number from 1 to 1000.\n  See: prodigy run --help\n'
    ],
    [
      ["run", "wf.yml", "--param", "novalue"],
      'error: --param "novalue" is not KEY=VALUE, the key out of letters, digits and _.\n  See: prodigy run --help\n'
    ],
    [
      ["events", "list", "--since", "yesterday"],
      'error: --since "yesterday" is not a time such as 2026-01-31T08:00:00Z, or how long ago such as 30m, 2h, 3d.\n' +
        "  See: prodigy events list --help\n"
    ],
    [
      ["run", "nothere.yml"],
      "error: The workflow nothere.yml cannot be read: there is no such file.\n" +
        "  Give the path of a workflow file: prodigy run FILE\n"
    ],
    [
      ["sessions", "show", "../../x"],
      'error: "../../x" is not an id: expected a session id, a job id, the beginning of one, or latest.\n' +
        "  See: prodigy sessions list\n"
    ],
    [["dlq", "list", "--job-id", "nope"], 'error: There is no job "nope".\n  See: prodigy sessions list\n'],
    [["dlq", "clear", "latest"], "error: No job is recorded yet.\n  Start one: prodigy run FILE\n"]
  ]

  for (const [args, stderr] of wrong) {
    it(`answers "prodigy ${args.join(" ")}" with one message and exit 2, and makes nothing`, () => {
      assert.deepStrictEqual(prodigy(args), { code: 2, stdout: "", stderr })
      assert.isFalse(existsSync(join(place, "home")))
    })
  }

  it("says what to do where there is no repository", () => {
    const { code, stderr, stdout } = prodigy(["sessions", "list"], place)
    assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
    assert.include(stderr, "name one: --path DIR")
    assert.deepStrictEqual(prodigy(["sessions", "list", "--all-repos"], place).code, 0)
  })

  it("pauses when its terminal is closed, however often it is told", async () => {
    const workflow = join(place, "long.yml")
    writeFileSync(workflow, "setup:\n  - shell: sleep 60\nmap:\n  input: [1]\n  agent_template:\n    - shell: 'true'\n")
    const env = { PATH: process.env.PATH, HOME: place, PRODIGY_HOME: join(place, "closed") }
    const cwd = join(place, "repository")
    const child = spawn(process.execPath, [launcher, "run", workflow], {
      cwd,
      env,
      stdio: ["ignore", "ignore", "pipe"]
    })
    const ended = once(child, "close")
    let stderr = ""
    await new Promise<void>((resolve) =>
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text
        if (stderr.includes("setup started")) resolve()
      })
    )
    child.kill("SIGHUP")
    await new Promise((resolve) => child.stderr.once("data", resolve))
    child.kill("SIGHUP")
    assert.strictEqual((await ended)[0], 129, stderr)
    const home = spawnSync(process.execPath, [launcher, "sessions", "ls", "--json"], { cwd, env, encoding: "utf8" })
    assert.strictEqual(JSON.parse(home.stdout).sessions[0].shown, "Paused")
  })

  it("takes away the block, once, when it is told twice to end on a terminal", async () => {
    const workflow = join(place, "stubborn.yml")
    const step = "trap '' TERM INT; sleep 60"
    writeFileSync(
      workflow,
      `setup:\n  - shell: "${step}"\nmap:\n  input: [1]\n  agent_template:\n    - shell: 'true'\n`
    )
    const env = { PATH: process.env.PATH, HOME: place, PRODIGY_HOME: join(place, "twice"), TERM: "xterm" }
    // `script` gives the command a terminal of its own; what is written to it is typed there.
    const typed = `exec ${process.execPath} ${launcher} run ${workflow}`
    const child = spawn("script", ["-qfec", typed, "/dev/null"], { cwd: join(place, "repository"), env })
    let shown = ""
    child.stdout.on("data", (text: Buffer) => (shown += String(text)))
    const seen = (what: string) =>
      new Promise<void>((resolve) =>
        child.stdout.on("data", () => {
          if (shown.includes(what)) resolve()
        })
      )
    const ended = once(child, "close")
    await seen("setup")
    child.stdin.write("\u0003")
    await seen("Stopping; Ctrl-C again ends at once.")
    child.stdin.write("\u0003")
    assert.strictEqual((await ended)[0], 130, shown)
    // The row below the block and its only line, and nothing above it.
    assert.isTrue(shown.endsWith("^C\r\u001b[2K\u001b[A\u001b[2K\u001b[J"), shown)
  })

  it("runs a workflow, and shows afterwards what happened", () => {
    const workflow = join(place, "wf.yml")
    writeFileSync(
      workflow,
      `name: small
mode: mapreduce
map:
  input: items.json
  json_path: "$[*]"
  item_id: "$.id"
  agent_template:
    - shell: "echo x > \${item.id}.txt; test \${item.id} != b"
`
    )
    const repository = join(place, "repository")
    writeFileSync(join(repository, "items.json"), '[{"id":"a"},{"id":"b"}]')
    execFileSync("git", ["add", "."], { cwd: repository })
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "items"], {
      cwd: repository
    })

    const ended = prodigy(["run", workflow, "--json", "-y"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    const report = JSON.parse(ended.stdout)
    assert.strictEqual(report.counts.dead_lettered, 1)
    assert.match(ended.stderr, /^\d\d:\d\d:\d\d small: session session-mapreduce-\S+, at most \d+ at once\n/)
    assert.match(ended.stderr, /\n\d\d:\d\d:\d\d completed in \S+\n$/)

    const sessions = JSON.parse(prodigy(["sessions", "ls", "--json"]).stdout)
    assert.strictEqual(sessions.sessions[0].id, report.session_id)
    const none = prodigy(["sessions", "ls", "--status", "interrupted"])
    assert.deepStrictEqual(none, { code: 0, stdout: "", stderr: "No interrupted sessions.\n" })
    const letters = JSON.parse(prodigy(["dlq", "list", "--json"]).stdout)
    assert.deepStrictEqual([letters.total, letters.dead_letters[0].item_id], [1, "b"])
    assert.include(prodigy(["dlq", "inspect", "b"]).stdout, "exit 1")
    const events = prodigy(["events", "list", "--json", "--event-type", "agent_failed"]).stdout.trim().split("\n")
    assert.deepStrictEqual(
      events.map((line) => JSON.parse(line).event.item_id),
      ["b"]
    )
    const typo = prodigy(["events", "list", "--event-type", "agent_faild"])
    assert.deepStrictEqual(typo, {
      code: 2,
      stdout: "",
      stderr: 'error: There is no event type "agent_faild".\n  Did you mean agent_failed?\n'
    })
  })
})
