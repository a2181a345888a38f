import { readdirSync, readFileSync, watch } from "node:fs"

/** Resolves when a directory holds at least so many files. */
export const filled = (directory: string, count: number): Promise<void> =>
  new Promise((resolve) => {
    const watcher = watch(directory, () => check())
    const check = () => {
      if (readdirSync(directory).length < count) return
      watcher.close()
      resolve()
    }
    check()
  })

/** Whether a process lives; a zombie does not. */
export const runs = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}
