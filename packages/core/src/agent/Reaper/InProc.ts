/**
 * Finds the processes of a run in `/proc`, by its token and by the sessions that belong to it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { type Found, gitMark } from "../../storage/ProcessRecord.ts"
import { isAlive, listPids, readBytes, readStat, type Stat } from "../Processes/Proc.ts"
import type { Search } from "./Node.ts"

type Kind = "step" | "git"

/**
 * @since 0.1.0
 * @category constructors
 */
export const inProc = (found: Found): Search => {
  const token = Buffer.from(`${found.run.token}/`)
  const tokenOfGit = Buffer.from(`${found.run.token}/${gitMark}`)
  const recorded = new Map(found.processes.map(({ pid, started_at }) => [pid, started_at]))
  /** Sessions of ours. The number of one is not given out again while anybody is in it. */
  let sessions = new Map<number, Kind>()
  const { descends, spared } = family(process.pid)
  const ownSession = readStat(process.pid)?.session

  const markOf = (pid: number): Kind | null => {
    const bytes = readBytes(`/proc/${pid}/environ`)
    if (bytes === null || !bytes.includes(token)) return null
    // A git command that an agent runs has the agent's mark: it is stopped with the agent.
    return bytes.includes(tokenOfGit) ? "git" : "step"
  }

  return {
    spared,
    look: Effect.sync(() => {
      const living = new Map<number, Stat>()
      for (const pid of listPids()) {
        const stat = readStat(pid)
        if (stat !== null && isAlive(pid, stat)) living.set(pid, stat)
      }
      const marks = new Map<number, Kind>()
      const found = new Map<number, Kind>()
      for (const [pid, stat] of living) {
        const kind = recorded.get(pid) === String(stat.startTicks) ? "step" : markOf(pid)
        // An earlier run of this very program leaves git's shells, which it goes on using.
        if (kind === null || (kind === "git" && descends(pid, living))) continue
        marks.set(pid, kind)
        // Every process of ours begins in a session that was made for it; but nobody else's is taken for that.
        if (stat.session !== 0 && stat.session !== ownSession) found.set(stat.session, kind)
      }
      const occupied = new Set([...living.values()].map(({ session }) => session))
      const still = [...sessions].filter(([session]) => occupied.has(session))
      sessions = new Map([...still, ...found])
      const steps: Array<number> = []
      const git: Array<number> = []
      for (const [pid, stat] of living) {
        const kind = marks.get(pid) ?? sessions.get(stat.session)
        if (kind !== undefined) (kind === "git" ? git : steps).push(pid)
      }
      return { steps, git }
    })
  }
}

/** This program and those that it was started by; and who was started by this program. */
const family = (self: number) => {
  const spared = new Set<number>()
  for (let pid = self; pid > 1 && !spared.has(pid); pid = readStat(pid)?.parent ?? 0) spared.add(pid)
  const descends = (pid: number, living: ReadonlyMap<number, Stat>): boolean => {
    for (let at = living.get(pid)?.parent ?? 0; at > 1; at = living.get(at)?.parent ?? 0) if (at === self) return true
    return false
  }
  return { spared, descends }
}
