/**
 * Files of a worktree on the simulated disk, as git treats them.
 *
 * Owns reading them as a tree, and bringing them from one tree to another: wholly (`bring`), or only where nothing that is not
 * committed would be lost (`move`). What it writes is synced.
 *
 * @since 0.1.0
 */
import * as MemoryGit from "./MemoryGit.ts"
import { Errno, type SimulatedDisk } from "./SimulatedDisk.ts"

/**
 * What stands at a path. `below`: nothing, as a file stands where one of its directories would be.
 *
 * @since 0.1.0
 * @category getters
 */
export const kindOf = (disk: SimulatedDisk, path: string): "file" | "directory" | "nothing" | "below" => {
  try {
    return disk.lstat(path).type === "Directory" ? "directory" : "file"
  } catch (error) {
    if (error instanceof Errno && error.code === "ENOENT") return "nothing"
    if (error instanceof Errno && error.code === "ENOTDIR") return "below"
    throw error
  }
}

/**
 * All files of a directory. Directories without files do not count.
 *
 * @since 0.1.0
 * @category getters
 */
export const read = (disk: SimulatedDisk, directory: string): MemoryGit.Tree => {
  const tree: Record<string, string> = {}
  const visit = (path: string) => {
    for (const name of disk.readDirectory(`${directory}${path}`)) {
      const { size, type } = disk.lstat(`${directory}${path}/${name}`)
      if (type === "Directory") visit(`${path}/${name}`)
      else if (type === "File") tree[`${path}/${name}`.slice(1)] = readFile(disk, `${directory}${path}/${name}`, size)
    }
  }
  visit("")
  return tree
}

/**
 * Makes a directory hold a tree and nothing else.
 *
 * @since 0.1.0
 * @category combinators
 */
export const bring = (disk: SimulatedDisk, directory: string, tree: MemoryGit.Tree): void => {
  const kind = kindOf(disk, directory)
  if (kind === "file") disk.unlink(directory, 0)
  const changed = new Set<string>()
  const found = new Set<string>()
  /** Whether anything is left in it. */
  const visit = (path: string): boolean => {
    let left = false
    for (const name of disk.readDirectory(`${directory}${path}`)) {
      const at = `${directory}${path}/${name}`
      const { size, type } = disk.lstat(at)
      const content = type === "File" ? tree[`${path}/${name}`.slice(1)] : undefined
      if (type === "Directory" && visit(`${path}/${name}`)) left = true
      else if (content !== undefined && readFile(disk, at, size) === content) {
        found.add(`${path}/${name}`.slice(1))
        left = true
      } else {
        if (type === "Directory") disk.removeDirectory(at, 0)
        else disk.unlink(at, 0)
        changed.delete(at)
        changed.add(`${directory}${path}`)
      }
    }
    return left
  }
  if (kind === "directory") visit("")
  make(disk, directory)
  for (const [path, content] of Object.entries(tree))
    if (!found.has(path)) write(disk, `${directory}/${path}`, content, changed)
  for (const path of changed) sync(disk, path)
}

/**
 * Brings files and index from one tree to another, as `git read-tree -m -u` does: the new index, or null, and nothing is
 * changed, where files that are not committed are in the way.
 *
 * @since 0.1.0
 * @category combinators
 */
export const move = (
  disk: SimulatedDisk,
  directory: string,
  trees: { readonly index: MemoryGit.Tree; readonly from: MemoryGit.Tree; readonly to: MemoryGit.Tree }
): MemoryGit.Tree | null => {
  const { from, index, to } = trees
  const next: Record<string, string> = {}
  const updates = new Map<string, string | null>()
  const asTracked = (path: string, content: string) => {
    const kind = kindOf(disk, `${directory}/${path}`)
    return kind === "nothing" || (kind === "file" && contentOf(disk, `${directory}/${path}`) === content)
  }
  /** Whether nothing that is not tracked is at a path, or will be when what is tracked has gone. */
  const free = (path: string): boolean => {
    for (const parent of MemoryGit.above(path))
      if (kindOf(disk, `${directory}/${parent}`) === "file") return updates.get(parent) === null
    const kind = kindOf(disk, `${directory}/${path}`)
    if (kind !== "directory") return kind !== "file"
    return Object.entries(read(disk, `${directory}/${path}`)).every(
      ([name, content]) => index[`${path}/${name}`] === content
    )
  }
  for (const path of Object.keys({ ...index, ...from, ...to }).toSorted()) {
    const [now, old, wanted] = [index[path], from[path], to[path]]
    if (old === wanted || (now !== undefined && now === wanted)) {
      if (now !== undefined) next[path] = now
    } else if (now !== undefined ? now !== old || !asTracked(path, now) : old !== undefined && wanted !== undefined) {
      return null
    } else if (now === undefined && !free(path)) {
      return null
    } else {
      if (now !== undefined || wanted !== undefined) updates.set(path, wanted ?? null)
      if (wanted !== undefined) next[path] = wanted
    }
  }
  apply(disk, directory, updates)
  return next
}

/**
 * Writes files (null: removes them), whatever stands in their way.
 *
 * @since 0.1.0
 * @category combinators
 */
export const apply = (disk: SimulatedDisk, directory: string, updates: ReadonlyMap<string, string | null>): void => {
  const changed = new Set<string>()
  for (const [path, content] of updates) {
    if (content !== null || kindOf(disk, `${directory}/${path}`) !== "file") continue
    disk.unlink(`${directory}/${path}`, 0)
    changed.add(parentOf(`${directory}/${path}`))
    // Directories go with their last file.
    for (const parent of MemoryGit.above(path).toReversed()) {
      if (disk.readDirectory(`${directory}/${parent}`).length > 0) break
      disk.removeDirectory(`${directory}/${parent}`, 0)
      changed.delete(`${directory}/${parent}`)
      changed.add(parentOf(`${directory}/${parent}`))
    }
  }
  for (const [path, content] of updates) {
    if (content === null) continue
    for (const parent of MemoryGit.above(path))
      if (kindOf(disk, `${directory}/${parent}`) === "file") disk.unlink(`${directory}/${parent}`, 0)
    if (kindOf(disk, `${directory}/${path}`) === "directory") removeAll(disk, `${directory}/${path}`)
    write(disk, `${directory}/${path}`, content, changed)
  }
  for (const path of changed) if (kindOf(disk, path) === "directory") sync(disk, path)
}

/**
 * Removes a path and all that is under it, durably.
 *
 * @since 0.1.0
 * @category combinators
 */
export const removeAll = (disk: SimulatedDisk, path: string): void => {
  const kind = kindOf(disk, path)
  if (kind === "nothing" || kind === "below") return
  const remove = (at: string, isDirectory: boolean) => {
    if (!isDirectory) return disk.unlink(at, 0)
    for (const name of disk.readDirectory(at)) remove(`${at}/${name}`, kindOf(disk, `${at}/${name}`) === "directory")
    disk.removeDirectory(at, 0)
  }
  remove(path, kind === "directory")
  sync(disk, parentOf(path))
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/"

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const reading = { read: true, write: false, append: false, create: false, exclusive: false, truncate: false }
const writing = { read: false, write: true, append: false, create: true, exclusive: false, truncate: true }

const contentOf = (disk: SimulatedDisk, path: string): string => readFile(disk, path, disk.lstat(path).size)

const readFile = (disk: SimulatedDisk, path: string, size: number): string => {
  if (size === 0) return ""
  const bytes = new Uint8Array(size)
  const fd = disk.open(path, reading, 0, 0)
  disk.read(fd, bytes, 0)
  disk.close(fd)
  return decoder.decode(bytes)
}

/** Leaves it to the caller to sync the directories it names in `changed`. */
const write = (disk: SimulatedDisk, path: string, content: string, changed: Set<string>): void => {
  make(disk, parentOf(path))
  const fd = disk.open(path, writing, 0o644, 0)
  try {
    if (content !== "") {
      const bytes = encoder.encode(content)
      // A disk that runs full takes what fits, and refuses the rest.
      for (let at = 0; at < bytes.length;) at += disk.write(fd, bytes.subarray(at), at, 0)
    }
    disk.sync(fd)
  } finally {
    disk.close(fd)
  }
  changed.add(parentOf(path))
}

const make = (disk: SimulatedDisk, path: string): void => {
  if (path === "/" || kindOf(disk, path) === "directory") return
  make(disk, parentOf(path))
  disk.makeDirectory(path, 0o755, 0)
  sync(disk, parentOf(path))
}

const sync = (disk: SimulatedDisk, path: string): void => {
  const fd = disk.open(path, reading, 0, 0)
  disk.sync(fd)
  disk.close(fd)
}
