/**
 * The processes that belong to one spawned process: who they are, and signals to all of them.
 *
 * Owns the proof that none is left. On Linux it is exact, from `/proc`: a member is a process that started no earlier
 * than ours and has its group, its session or its spawn id; a zombie is not alive. Elsewhere it is the answer of
 * `kill(-pgid, 0)`, which knows the group only.
 *
 * @since 0.1.0
 */
import * as FileSystem from "node:fs"
import type { Spawned } from "../Processes.ts"
import { answers, isAlive, listPids, readBytes, readStat, send } from "./Proc.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface ProcessGroup {
  readonly spawned: Spawned
  /** Whether the group itself exists, of zombies perhaps: asked in no time, while listing members reads all of `/proc`. */
  readonly answers: () => boolean
  /**
   * Pids of the members that live. `quick` looks only at the group and at processes with a higher pid than ours, which
   * costs next to nothing; it looks at all of them when pids have started from the beginning since.
   */
  readonly members: (how: "quick" | "thorough") => ReadonlyArray<number>
  /** Sends a signal to the group, and to each of these pids that may have left it. */
  readonly signal: (name: NodeJS.Signals, members: ReadonlyArray<number>) => void
}

/**
 * The group of a process that has just been started, `detached`, so that its pid names its group and its session.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (pid: number, spawnId: string): ProcessGroup => {
  const own = readStat(pid)
  const marker = Buffer.from(spawnId)
  const isMember = (candidate: number): boolean => {
    const stat = readStat(candidate)
    if (stat === null || own === null || stat.startTicks < own.startTicks || !isAlive(candidate, stat)) return false
    return (
      stat.group === pid || stat.session === pid || (readBytes(`/proc/${candidate}/environ`)?.includes(marker) ?? false)
    )
  }
  return {
    spawned: { pid, spawnId, startedAt: own === null ? null : String(own.startTicks) },
    answers: () => answers(-pid),
    members: (how) => {
      if (own === null) return answers(-pid) ? [pid] : []
      return (how === "quick" && !answers(-pid) ? pidsSince(pid) : listPids()).filter(isMember)
    },
    signal: (name, members) => {
      // The id of a group that is gone may be another's by now.
      if (members.some((member) => own === null || readStat(member)?.group === pid)) send(-pid, name)
      for (const member of members) if (member !== pid) send(member, name)
    }
  }
}

/**
 * Pids of the processes started since the one of this pid: pids are given in rising order, so until they start from the
 * beginning again they are higher. The pid given last is the fifth field of /proc/loadavg.
 */
const pidsSince = (pid: number): ReadonlyArray<number> => {
  const newest = Number(readBytes("/proc/loadavg")?.toString("latin1").trim().split(" ")[4] ?? 0)
  if (newest < pid) return listPids()
  if (newest - pid > pidsProbedMax) return listPids().filter((candidate) => candidate > pid)
  const since = Array.from({ length: newest - pid }, (_, index) => pid + 1 + index)
  return since.filter((candidate) => FileSystem.existsSync(`/proc/${candidate}`))
}

/** For fewer than this, asking for each is cheaper than listing all. */
const pidsProbedMax = 100
