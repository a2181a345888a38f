/**
 * Processes as the kernel shows them: `/proc` on Linux, and signals everywhere.
 *
 * @since 0.1.0
 */
import * as FileSystem from "node:fs"

export interface Stat {
  readonly parent: number
  readonly state: string
  readonly group: number
  readonly session: number
  readonly startTicks: number
}

/** Shared by all reads, which are synchronous: a file of /proc has no size, for which `readFileSync` takes 64 KiB anew. */
const buffer = Buffer.allocUnsafe(64 * 1024)

/** A file of /proc; null when it is gone, another user's, or not of this platform. Valid until the next read. */
export const readBytes = (path: string): Buffer | null => {
  let file: number | undefined
  try {
    file = FileSystem.openSync(path, "r")
    const size = FileSystem.readSync(file, buffer, 0, buffer.length, null)
    return size < buffer.length ? buffer.subarray(0, size) : Buffer.concat([buffer, FileSystem.readFileSync(file)])
  } catch {
    return null
  } finally {
    if (file !== undefined) FileSystem.closeSync(file)
  }
}

/** Fields of proc(5), from the third: the second, the name in parentheses, may hold anything. */
export const readStat = (pid: number): Stat | null => {
  const text = readBytes(`/proc/${pid}/stat`)?.toString("latin1")
  if (text === undefined) return null
  const [state = "", parent, group, session, ...more] = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return { state, parent: Number(parent), group: Number(group), session: Number(session), startTicks: Number(more[15]) }
}

export const isAlive = (pid: number, stat: Stat): boolean => {
  if (stat.state !== "Z" && stat.state !== "X") return true
  try {
    // A process whose first thread ended looks like a zombie while its other threads go on.
    return stat.state === "Z" && FileSystem.readdirSync(`/proc/${pid}/task`).length > 1
  } catch {
    // Reaped meanwhile.
    return false
  }
}

export const listPids = (): ReadonlyArray<number> =>
  FileSystem.readdirSync("/proc").map(Number).filter(Number.isInteger)

export const answers = (target: number): boolean => {
  try {
    process.kill(target, 0)
    return true
  } catch {
    // ESRCH: nobody there. EPERM: nobody we may signal; macOS says so of a group of zombies.
    return false
  }
}

export const send = (target: number, name: NodeJS.Signals): void => {
  try {
    process.kill(target, name)
  } catch {
    // Gone, or not ours to signal: who is left is asked afterwards, and that answer counts.
  }
}
