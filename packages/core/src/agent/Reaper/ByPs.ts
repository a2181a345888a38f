/**
 * Finds the processes of a run by `ps`, where there is no `/proc`: the groups of those that were written down.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import type { Found } from "../../storage/ProcessRecord.ts"
import { answers } from "../Processes/Proc.ts"
import type { Search } from "./Node.ts"

/** `ps` tells seconds, and it takes a moment from the start of a process to its line in the record. */
const differenceMillisMax = 2_000

/**
 * @since 0.1.0
 * @category constructors
 */
export const byPs = (found: Found): Search => {
  /** Groups of ours. The number of one is not given out again while anybody is in it. */
  let groups = new Set<number>()
  const spared = new Set([process.pid, process.ppid])
  return {
    spared,
    look: Effect.map(list, (processes) => {
      // Without a list nothing is proved: whoever has a recorded pid is left alone, and told of.
      if (processes === null) {
        const unproved = found.processes.map(({ pid }) => pid).filter(answers)
        for (const pid of unproved) spared.add(pid)
        return { steps: unproved, git: [] }
      }
      const leads = found.processes.filter(({ at, pid }) =>
        processes.some(
          (one) =>
            one.pid === pid &&
            one.group === pid &&
            Math.abs(one.startedAtMillis - Date.parse(at)) <= differenceMillisMax
        )
      )
      const still = [...groups].filter((group) => processes.some((one) => one.group === group))
      groups = new Set([...still, ...leads.map(({ pid }) => pid)])
      return { steps: processes.filter(({ group }) => groups.has(group)).map(({ pid }) => pid), git: [] }
    })
  }
}

interface Listed {
  readonly pid: number
  readonly group: number
  readonly startedAtMillis: number
}

/** All processes that live; null when there is no `ps` to ask. */
const list: Effect.Effect<ReadonlyArray<Listed> | null> = Effect.async((resume) => {
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" }
  execFile("ps", ["-axo", "pid=,pgid=,stat=,lstart="], { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout) =>
    resume(Effect.succeed(error === null ? parse(stdout) : null))
  )
})

const parse = (text: string): ReadonlyArray<Listed> =>
  text.split("\n").flatMap((line) => {
    const [, pid, group, state, started] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*\S)/.exec(line) ?? []
    if (pid === undefined || state === undefined || started === undefined || state.startsWith("Z")) return []
    return [{ pid: Number(pid), group: Number(group), startedAtMillis: Date.parse(`${started} UTC`) }]
  })
