/**
 * Real processes that race for one stale lock, round after round, started once and set off together.
 *
 * The smoke of it is a test (`ResumeLock.test.ts`); `npm run race` is the whole: 50 processes, 200 rounds.
 */
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { build } from "esbuild"
import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { readFileSync, readlinkSync } from "node:fs"

/** One racer: a word a line in, a line out for each. */
export interface Rival {
  readonly child: ChildProcess
  readonly answer: () => Promise<string>
  readonly tell: (word: string) => Promise<string>
}

/** Bundles the racer: fifty of them start in seconds then, and not in a minute. */
export const bundleRival = async (directory: string): Promise<string> => {
  const outfile = join(directory, "rival.mjs")
  await build({
    entryPoints: [fileURLToPath(new URL("ResumeLockRival.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["@prodigy/source"],
    logLevel: "warning",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' }
  })
  return outfile
}

export const startRival = (script: string, root: string): Rival => {
  const child = spawn(process.execPath, [script, root], { stdio: ["pipe", "pipe", "inherit"] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => {
    const { value } = await lines.next()
    return String(value)
  }
  const tell = (word: string): Promise<string> => {
    child.stdin.write(`${word}\n`)
    return answer()
  }
  return { child, answer, tell }
}

export const kill = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

/** What a round's lock looks like before the race. Each is free for the taking, by proof. */
const stales = ["dead", "reused pid", "earlier boot", "empty", "damaged", "guard left", "killed winner"] as const

/**
 * Races and checks every round: exactly one winner, everybody else refused, the file is the winner's, and gone when he
 * has left.
 */
export const race = async (options: {
  readonly rivals: number
  readonly rounds: number
  readonly say?: ((line: string) => void) | undefined
}): Promise<{ readonly wins: ReadonlyMap<number, number> }> => {
  const parent = await mkdtemp(join(tmpdir(), "prodigy-race-"))
  const root = join(parent, "home")
  const locks = join(root, "resume_locks")
  const lock = join(locks, "mapreduce-20260102_030405.lock")
  const guard = join(locks, ".mapreduce-20260102_030405.guard")
  const rivals: Array<Rival> = []
  const wins = new Map<number, number>()
  try {
    await mkdir(locks, { recursive: true })
    const script = await bundleRival(parent)
    const start = async () => {
      const rival = startRival(script, root)
      assert.equal(await rival.answer(), "ready")
      return rival
    }
    // A few at a time: all at once would only wait for each other.
    while (rivals.length < options.rivals) {
      const some = Math.min(10, options.rivals - rivals.length)
      rivals.push(...(await Promise.all(Array.from({ length: some }, start))))
    }
    const [boot, namespace] = world()
    const dead = await endedProcess()
    const lease = (pid: number, startedAt: string, token: string) =>
      `${StoredJson.seal(
        JSON.stringify({
          v: 1,
          job_id: "mapreduce-20260102_030405",
          session_id: "session-mapreduce-20260102_030405",
          process_id: pid,
          process_started_at: startedAt,
          hostname: hostname(),
          acquired_at: "2026-01-02T03:04:05.000Z",
          token
        })
      )}\n`
    const guardOf = (pid: number, startedAt: string, round: number) => {
      const owner = { pid, host: hostname(), started_at: startedAt }
      const token = `01890a5d-ac96-774b-bcce-${String(round).padStart(12, "0")}`
      const fields = { v: 1, owner, acquired_at: "2026-01-02T03:04:05.000Z", token }
      return StoredJson.seal(`${JSON.stringify(fields, null, 2)}\n`)
    }
    const old = async (text: string) => {
      await writeFile(lock, text)
      const longAgo = new Date(Date.now() - 600_000)
      await utimes(lock, longAgo, longAgo)
    }
    const stage = async (stale: (typeof stales)[number], round: number) => {
      const token = `stale-${round}`
      const deadLease = lease(dead.pid, [boot, namespace, dead.ticks].join("/"), token)
      switch (stale) {
        case "dead":
          return writeFile(lock, deadLease)
        case "reused pid": {
          const pid = rivals[round % rivals.length]?.child.pid ?? 0
          return writeFile(lock, lease(pid, [boot, namespace, Number(ticksOf(pid)) - 1].join("/"), token))
        }
        case "earlier boot":
          return writeFile(lock, lease(process.pid, ["earlier", namespace, ticksOf(process.pid)].join("/"), token))
        case "empty":
          return old("")
        case "damaged":
          return old(deadLease.replace(/"pid/, '"pie').slice(0, 150))
        case "guard left":
          await writeFile(guard, guardOf(dead.pid, [boot, namespace, dead.ticks].join("/"), round))
          return writeFile(lock, deadLease)
        case "killed winner":
          // The lock of the round before is still there, and its owner has just been killed.
          return undefined
      }
    }

    let winner: Rival | null = null
    for (let round = 0; round < options.rounds; round++) {
      let stale = stales[round % stales.length] ?? "dead"
      if (stale === "killed winner") {
        if (winner === null) stale = "dead"
        else {
          await kill(winner.child)
          rivals[rivals.indexOf(winner)] = await start()
        }
      }
      await stage(stale, round)
      const at = Date.now() + 20
      const answers = await Promise.all(rivals.map((rival) => rival.tell(`acquire ${at}`)))
      const winners = rivals.filter((_, index) => answers[index] === "acquired")
      assert.equal(winners.length, 1, `round ${round}, ${stale}: ${winners.length} winners; ${answers.join(", ")}`)
      assert.equal(answers.filter((answer) => answer === "held").length, rivals.length - 1, answers.join(", "))
      winner = winners[0] ?? null
      const pid = winner?.child.pid ?? 0
      wins.set(pid, (wins.get(pid) ?? 0) + 1)
      assert.equal(JSON.parse(await readFile(lock, "utf8")).process_id, pid)
      // The round after the next kills the owner of the one before it.
      const isLast = round === options.rounds - 1
      if (winner !== null && (isLast || stales[(round + 1) % stales.length] !== "killed winner")) {
        assert.equal(await winner.tell("release"), "released")
        winner = null
        assert.deepEqual(await readdir(locks), [], `round ${round}: something is left`)
      }
      if ((round + 1) % 10 === 0) options.say?.(`${round + 1} rounds, one winner each`)
    }
    return { wins }
  } finally {
    await Promise.all(rivals.map(({ child }) => kill(child)))
    await rm(parent, { recursive: true, force: true })
  }
}

const ticksOf = (pid: number): string => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
}

/** What `ProcessTable` puts before the start time of a process of this host. */
const world = (): readonly [string, string] => [
  readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? ""
]

/** A process that was there and is not any more. */
const endedProcess = async (): Promise<{ readonly pid: number; readonly ticks: string }> => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" })
  const pid = child.pid ?? 0
  const ticks = ticksOf(pid)
  await kill(child)
  return { pid, ticks }
}
