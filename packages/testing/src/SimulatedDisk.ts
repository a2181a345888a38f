/**
 * A disk that forgets what was not synced.
 *
 * A model of a POSIX file system in memory, with two states side by side: what programs see (volatile) and what a power
 * cut leaves (durable). It is as unkind as POSIX allows: the content of a file is durable by `fsync` of the file, its
 * name by `fsync` of the directory, and neither brings the other with it. A rename is atomic, and not durable before the
 * directory is synced. What was not synced may survive a power cut in part: changes of one file in order and the last of
 * them torn at any byte, changes of one directory in order, files and directories independent of each other.
 *
 * Not modelled: permissions (whoever asks is root), quotas, device files, sparse files, the cost of anything. A disk may
 * be given a capacity; then it runs full.
 *
 * Everything here is synchronous and deterministic. `SimulatedFileSystem` is the service over it.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * A call failed, for a reason that the operating system has a code for.
 *
 * @since 0.1.0
 * @category errors
 */
export class Errno extends Data.Error<{
  /** Such as `ENOENT`. */
  readonly code: string
  readonly syscall: string
  readonly path: string
}> {
  override get message() {
    return `${this.code}: ${texts[this.code] ?? "unknown error"}, ${this.syscall} '${this.path}'`
  }
}

const texts: Readonly<Record<string, string>> = {
  EBADF: "bad file descriptor",
  EEXIST: "file already exists",
  EINVAL: "invalid argument",
  EIO: "i/o error",
  EISDIR: "illegal operation on a directory",
  ELOOP: "too many symbolic links encountered",
  EMFILE: "too many open files",
  ENAMETOOLONG: "name too long",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  ENOTEMPTY: "directory not empty",
  EPERM: "operation not permitted",
  ERR_FS_EISDIR: "Path is a directory"
}

/**
 * What is left of everything that was not synced when the power fails. `keep` is asked once for each change in the order
 * they were made, and is not asked for a change whose file or directory has lost an earlier one; of a lost write, `torn`
 * says how many of its `length` bytes reached the disk (0 to `length`), and `zeros` whether the rest of it is there as zeros,
 * as on file systems that write the size of a file before its data.
 *
 * @since 0.1.0
 * @category models
 */
export interface PowerCut {
  readonly keep: (change: { readonly kind: "content" | "names" }) => boolean
  readonly torn: (length: number) => number
  readonly zeros: () => boolean
}

/**
 * The power cuts that are named: everything unsynced lost, or everything kept, which is also what a killed process leaves.
 *
 * @since 0.1.0
 * @category constructors
 */
export const loseUnsynced: PowerCut = { keep: () => false, torn: () => 0, zeros: () => false }

/**
 * @since 0.1.0
 * @category constructors
 */
export const keepUnsynced: PowerCut = { keep: () => true, torn: (length) => length, zeros: () => false }

/**
 * A power cut that leaves what chance leaves. `random` gives numbers from 0 to 1, 1 excluded.
 *
 * @since 0.1.0
 * @category constructors
 */
export const losesByChance = (random: () => number): PowerCut => {
  const share = random()
  return {
    keep: () => random() < share,
    torn: (length) => Math.floor(random() * (length + 1)),
    zeros: () => random() < 0.25
  }
}

/**
 * What `stat` tells. `birthtime` and the others are milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface Info {
  readonly type: "File" | "Directory" | "SymbolicLink"
  readonly ino: number
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly atime: number
  readonly mtime: number
  readonly birthtime: number
}

/**
 * How a file is opened: the flags of `open(2)` that count here.
 *
 * @since 0.1.0
 * @category models
 */
export interface Access {
  readonly read: boolean
  readonly write: boolean
  readonly append: boolean
  readonly create: boolean
  readonly exclusive: boolean
  readonly truncate: boolean
}

/**
 * What happened to a name in a directory, for those who watch it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Change {
  readonly directory: number
  readonly name: string
  readonly kind: "created" | "changed" | "removed"
}

/**
 * The calls of the operating system. Paths are absolute (a relative one is taken from `/`); every one may throw `Errno`, and
 * then has changed nothing. `now` is milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimulatedDisk {
  readonly stat: (path: string) => Info
  readonly lstat: (path: string) => Info
  readonly realPath: (path: string) => string
  readonly readLink: (path: string) => string
  readonly readDirectory: (path: string) => ReadonlyArray<string>
  readonly makeDirectory: (path: string, mode: number, now: number) => void
  readonly symlink: (target: string, path: string, now: number) => void
  readonly link: (from: string, to: string, now: number) => void
  readonly rename: (from: string, to: string, now: number) => void
  readonly unlink: (path: string, now: number) => void
  readonly removeDirectory: (path: string, now: number) => void
  readonly setMode: (path: string, mode: number) => void
  readonly setOwner: (path: string, uid: number, gid: number) => void
  readonly setTimes: (path: string, atime: number, mtime: number) => void
  readonly truncatePath: (path: string, length: number, now: number) => void

  /** A new descriptor. */
  readonly open: (path: string, access: Access, mode: number, now: number) => number
  readonly close: (fd: number) => void
  readonly fstat: (fd: number) => Info
  /** Copies bytes from `position` on into `target`; how many. */
  readonly read: (fd: number, target: Uint8Array, position: number) => number
  /** Writes what fits; how many. `position` counts for nothing in a file opened to append. */
  readonly write: (fd: number, bytes: Uint8Array, position: number, now: number) => number
  readonly truncate: (fd: number, length: number, now: number) => void
  /** `fsync`: of a file its content, of a directory its names. */
  readonly sync: (fd: number) => void

  /** The processes are gone, and what they saw stays: every descriptor is closed. */
  readonly kill: () => void
  /** The power is gone: every descriptor is closed, and what programs see is what was durable and what `cut` leaves. */
  readonly cut: (cut: PowerCut) => void
  /** Syncs everything, as an orderly shutdown does. */
  readonly syncAll: () => void
  /** Another disk in the same state, unsynced changes included. No descriptor of it is open, unless it is to have the same ones. */
  readonly clone: (options?: { readonly descriptors: boolean }) => SimulatedDisk
  /** Changes that are not synced. */
  readonly unsynced: () => number
  /** Every path with its content (null: a directory; a link: its target after `→ `), sorted. */
  readonly tree: () => ReadonlyArray<readonly [path: string, content: string | null]>
  /** Bytes of all contents. */
  readonly used: () => number
  /** Bytes that contents may have together. */
  readonly setCapacity: (bytes: number) => void
  /** Tells of every change of a name until the returned function is called. */
  readonly watch: (listener: (change: Change) => void) => () => void
  /** How many watch. */
  readonly watchers: () => number
}

// -----------------------------------------------------------------------------
// nodes
// -----------------------------------------------------------------------------

interface Meta {
  readonly ino: number
  mode: number
  uid: number
  gid: number
  nlink: number
  atime: number
  mtime: number
  readonly birthtime: number
}

type ContentChange =
  | { readonly _tag: "Write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Truncate"; readonly length: number }

interface FileNode extends Meta {
  readonly _tag: "File"
  readonly content: Bytes
  readonly durable: Bytes
  /** Changes since the last sync, the oldest first. */
  pending: Array<ContentChange>
  descriptors: number
}

interface DirectoryNode extends Meta {
  readonly _tag: "Directory"
  readonly names: Map<string, Node>
  durable: Map<string, Node>
  parent: DirectoryNode | null
}

interface LinkNode extends Meta {
  readonly _tag: "SymbolicLink"
  readonly target: string
}

type Node = FileNode | DirectoryNode | LinkNode

/** One change of names that is durable as a whole or not at all. */
interface NameChange {
  readonly effects: ReadonlyArray<{
    readonly directory: DirectoryNode
    readonly name: string
    readonly node: Node | null
  }>
}

/** Where a path leads. The name is "." for a directory that was reached without a name of its own. */
interface Place {
  readonly parent: DirectoryNode
  readonly name: string
  readonly node: Node | null
}

interface Descriptor {
  readonly node: FileNode | DirectoryNode
  readonly path: string
  readonly access: Access
}

/** Bytes that grow at their end. */
interface Bytes {
  readonly length: () => number
  readonly write: (offset: number, bytes: Uint8Array) => void
  readonly truncate: (length: number) => void
  readonly view: (from: number, to: number) => Uint8Array
}

const makeBytes = (): Bytes => {
  let buffer = new Uint8Array(64)
  let length = 0
  const ensure = (size: number) => {
    if (size <= buffer.length) return
    const grown = new Uint8Array(Math.max(size, buffer.length * 2))
    grown.set(buffer.subarray(0, length))
    buffer = grown
  }
  return {
    length: () => length,
    write: (offset, bytes) => {
      ensure(offset + bytes.length)
      buffer.set(bytes, offset)
      length = Math.max(length, offset + bytes.length)
    },
    truncate: (size) => {
      ensure(size)
      // What is cut off reads as zeros when the file grows over it again.
      if (size < length) buffer.fill(0, size, length)
      length = size
    },
    view: (from, to) => buffer.subarray(from, Math.min(to, length))
  }
}

const apply = (bytes: Bytes, change: ContentChange): void =>
  change._tag === "Write" ? bytes.write(change.offset, change.bytes) : bytes.truncate(change.length)

/** A node and everything that it leads to; what is in `copies` is not copied again. */
const copyNode = (node: Node, copies: Map<Node, Node>): Node => {
  if (node._tag === "SymbolicLink") return { ...node }
  if (node._tag === "File") {
    const content = makeBytes()
    const durable = makeBytes()
    copyInto(content, node.content)
    copyInto(durable, node.durable)
    return { ...node, content, durable, pending: [...node.pending], descriptors: 0 }
  }
  const made: DirectoryNode = { ...node, names: new Map(), durable: new Map() }
  copies.set(node, made)
  const copy = (child: Node): Node => {
    const known = copies.get(child) ?? copyNode(child, copies)
    copies.set(child, known)
    return known
  }
  for (const [name, child] of node.names) made.names.set(name, copy(child))
  for (const [name, child] of node.durable) made.durable.set(name, copy(child))
  for (const child of made.names.values()) if (child._tag === "Directory") child.parent = made
  return made
}

const copyInto = (target: Bytes, source: Bytes): void => {
  target.truncate(0)
  target.write(0, source.view(0, source.length()))
}

// -----------------------------------------------------------------------------
// the disk
// -----------------------------------------------------------------------------

/** What `umask 022` leaves of a mode. */
const umask = 0o022
const fileType = 0o100000
const directoryType = 0o040000
const linkType = 0o120000
/** Of Linux: links followed in one path, and bytes in one name. */
const linksMax = 40
const nameBytesMax = 255

/** A character is at most 3 bytes for each of its code units. */
const isTooLong = (name: string): boolean =>
  name.length * 3 > nameBytesMax && encoder.encode(name).length > nameBytesMax

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * A disk with an empty root directory.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): SimulatedDisk =>
  over({
    root: null,
    pendingNames: [],
    lastIno: 1,
    capacity: Number.POSITIVE_INFINITY,
    used: 0,
    descriptors: new Map()
  })

interface Start {
  readonly root: DirectoryNode | null
  readonly pendingNames: ReadonlyArray<NameChange>
  readonly lastIno: number
  readonly capacity: number
  readonly used: number
  readonly descriptors: ReadonlyMap<number, Descriptor>
}

const over = (start: Start): SimulatedDisk => {
  let { capacity, lastIno, used } = start
  const descriptors = new Map(start.descriptors)
  let lastDescriptor = Math.max(2, ...descriptors.keys())
  let pendingNames = [...start.pendingNames]
  const listeners = new Set<(change: Change) => void>()

  const meta = (mode: number, now: number): Meta => {
    lastIno += 1
    return { ino: lastIno, mode, uid: 0, gid: 0, nlink: 1, atime: now, mtime: now, birthtime: now }
  }
  const directory = (mode: number, now: number, parent: DirectoryNode | null): DirectoryNode => ({
    _tag: "Directory",
    ...meta(directoryType | (mode & ~umask), now),
    names: new Map(),
    durable: new Map(),
    parent
  })
  const root = start.root ?? directory(0o755, 0, null)

  const tell = (parent: DirectoryNode, name: string, kind: Change["kind"]) => {
    for (const listener of listeners) listener({ directory: parent.ino, name, kind })
  }

  // --- paths

  const split = (path: string): ReadonlyArray<string> => path.split("/").filter((name) => name !== "" && name !== ".")

  const normalize = (path: string): string => {
    const names: Array<string> = []
    for (const name of split(path))
      if (name === "..") names.pop()
      else names.push(name)
    return `/${names.join("/")}`
  }

  /** Walks to the directory of a path's last name. `node` is null when it has none of that name. */
  const descend = (syscall: string, path: string, follow: boolean): Place => {
    const found = walk(syscall, path, follow)
    if (isTooLong(found.name)) throw new Errno({ code: "ENAMETOOLONG", syscall, path })
    return found
  }

  const walk = (syscall: string, path: string, follow: boolean): Place => {
    const fail = (code: string) => new Errno({ code, syscall, path })
    if (path === "") throw fail("ENOENT")
    let links = 0
    let at: DirectoryNode = root
    let names = split(path)
    if ((path.endsWith("/") || path.endsWith("/.")) && names.length > 0) names = [...names, "."]
    for (let next = 0; next < names.length;) {
      const name = names[next]!
      next += 1
      const last = next === names.length
      if (name === ".") {
        if (last) return { parent: at.parent ?? at, name: ".", node: at }
        continue
      }
      if (name === "..") {
        at = at.parent ?? root
        continue
      }
      const node = at.names.get(name) ?? null
      if (!last && isTooLong(name)) throw fail("ENAMETOOLONG")
      if (node?._tag === "SymbolicLink" && (!last || follow)) {
        links += 1
        if (links > linksMax) throw fail("ELOOP")
        names = [...split(node.target), ...names.slice(next)]
        next = 0
        if (node.target.startsWith("/")) at = root
        continue
      }
      if (last) return { parent: at, name, node }
      if (node === null) throw fail("ENOENT")
      if (node._tag !== "Directory") throw fail("ENOTDIR")
      at = node
    }
    return { parent: at.parent ?? at, name: ".", node: at }
  }

  const find = (syscall: string, path: string, follow: boolean): Node => {
    const { node } = descend(syscall, path, follow)
    if (node === null) throw new Errno({ code: "ENOENT", syscall, path })
    return node
  }

  /** The place of a name that is to be made; something may have it. */
  const place = (syscall: string, path: string) => descend(syscall, path, false)

  const pathOf = (node: DirectoryNode): string => {
    if (node.parent === null) return ""
    const name = [...node.parent.names].find(([, child]) => child === node)?.[0] ?? "?"
    return `${pathOf(node.parent)}/${name}`
  }

  const info = (node: Node): Info => ({
    type: node._tag,
    ino: node.ino,
    mode: node.mode,
    nlink:
      node._tag === "Directory"
        ? 2 + [...node.names.values()].filter((child) => child._tag === "Directory").length
        : node.nlink,
    uid: node.uid,
    gid: node.gid,
    size:
      node._tag === "File"
        ? node.content.length()
        : node._tag === "Directory"
          ? 4096
          : encoder.encode(node.target).length,
    atime: node.atime,
    mtime: node.mtime,
    birthtime: node.birthtime
  })

  // --- names

  const change = (now: number, effects: NameChange["effects"]) => {
    for (const { directory: parent, name, node } of effects) {
      const before = parent.names.get(name)
      if (node === null) parent.names.delete(name)
      else parent.names.set(name, node)
      if (node?._tag === "Directory") node.parent = parent
      parent.mtime = now
      tell(parent, name, node === null ? "removed" : before === undefined ? "created" : "changed")
    }
    pendingNames.push({ effects })
  }

  const touches = (entry: NameChange, directories: ReadonlySet<DirectoryNode>) =>
    entry.effects.some((effect) => directories.has(effect.directory))

  const makeDurable = (entry: NameChange) => {
    for (const { directory: parent, name, node } of entry.effects) {
      if (node === null) parent.durable.delete(name)
      else parent.durable.set(name, node)
    }
  }

  /** With a change of two directories, the earlier ones of both are durable too: order within a directory is kept. */
  const syncNames = (of: DirectoryNode) => {
    const directories = new Set([of])
    const chosen = new Set<NameChange>()
    for (const entry of pendingNames.toReversed())
      if (touches(entry, directories)) {
        chosen.add(entry)
        for (const effect of entry.effects) directories.add(effect.directory)
      }
    for (const entry of pendingNames) if (chosen.has(entry)) makeDurable(entry)
    pendingNames = pendingNames.filter((entry) => !chosen.has(entry))
  }

  const dropLink = (node: Node) => {
    node.nlink -= 1
    free(node)
  }
  const free = (node: Node) => {
    if (node._tag === "File" && node.nlink === 0 && node.descriptors === 0) used -= node.content.length()
  }

  // --- content

  const reserve = (syscall: string, path: string, bytes: number) => {
    if (bytes > 0 && used + bytes > capacity) throw new Errno({ code: "ENOSPC", syscall, path })
    used += bytes
  }

  const changeContent = (node: FileNode, now: number, entry: ContentChange) => {
    apply(node.content, entry)
    node.pending.push(entry)
    node.mtime = now
    for (const listener of listeners) tellOfContent(node, listener)
  }
  const tellOfContent = (node: FileNode, listener: (change: Change) => void) => {
    const visit = (at: DirectoryNode) => {
      for (const [name, child] of at.names)
        if (child === node) listener({ directory: at.ino, name, kind: "changed" })
        else if (child._tag === "Directory") visit(child)
    }
    visit(root)
  }

  const syncContent = (node: FileNode) => {
    for (const entry of node.pending) apply(node.durable, entry)
    node.pending = []
  }

  const setLength = (syscall: string, path: string, node: FileNode, length: number, now: number) => {
    reserve(syscall, path, length - node.content.length())
    changeContent(node, now, { _tag: "Truncate", length })
  }

  const descriptor = (syscall: string, fd: number): Descriptor => {
    const found = descriptors.get(fd)
    if (found === undefined) throw new Errno({ code: "EBADF", syscall, path: String(fd) })
    return found
  }

  const fileOf = (syscall: string, fd: number, mode: "read" | "write"): FileNode => {
    const { access, node, path } = descriptor(syscall, fd)
    if (mode === "write" && !access.write) throw new Errno({ code: "EBADF", syscall, path })
    if (node._tag === "Directory") throw new Errno({ code: "EISDIR", syscall, path })
    if (mode === "read" && !access.read) throw new Errno({ code: "EBADF", syscall, path })
    return node
  }

  const forget = () => {
    for (const { node } of descriptors.values())
      if (node._tag === "File") {
        node.descriptors -= 1
        free(node)
      }
    descriptors.clear()
  }

  const visitFiles = (from: DirectoryNode, visit: (node: FileNode) => void, seen = new Set<FileNode>()) => {
    for (const child of from.names.values())
      if (child._tag === "Directory") visitFiles(child, visit, seen)
      else if (child._tag === "File" && !seen.has(child)) {
        seen.add(child)
        visit(child)
      }
  }

  const syncAll = () => {
    for (const entry of pendingNames) makeDurable(entry)
    pendingNames = []
    visitFiles(root, syncContent)
  }

  /** What `cut` leaves of the pending changes of a file. */
  const settleContent = (node: FileNode, cut: PowerCut) => {
    for (const entry of node.pending) {
      if (cut.keep({ kind: "content" })) {
        apply(node.durable, entry)
        continue
      }
      if (entry._tag === "Write") {
        const bytes = entry.bytes.subarray(0, cut.torn(entry.bytes.length))
        if (bytes.length > 0) node.durable.write(entry.offset, bytes)
        const end = entry.offset + entry.bytes.length
        if (cut.zeros() && node.durable.length() < end) node.durable.truncate(end)
      }
      break
    }
    node.pending = []
    copyInto(node.content, node.durable)
  }

  const settleNames = (cut: PowerCut) => {
    const broken = new Set<DirectoryNode>()
    for (const entry of pendingNames)
      if (!touches(entry, broken) && cut.keep({ kind: "names" })) makeDurable(entry)
      else for (const effect of entry.effects) broken.add(effect.directory)
    pendingNames = []
  }

  /** What programs see becomes what is durable. */
  const reload = () => {
    const links = new Map<Node, number>()
    const visit = (at: DirectoryNode) => {
      at.names.clear()
      for (const [name, child] of at.durable) {
        at.names.set(name, child)
        links.set(child, (links.get(child) ?? 0) + 1)
        if (child._tag === "Directory") {
          child.parent = at
          visit(child)
        }
      }
    }
    visit(root)
    for (const [node, count] of links) node.nlink = count
  }

  const removeEntry = (syscall: string, path: string, now: number, kind: "directory" | "other") => {
    const { name, node, parent } = descend(syscall, path, false)
    const fail = (code: string) => new Errno({ code, syscall, path })
    if (node === null) throw fail("ENOENT")
    if (name === ".") throw fail(node === root ? "EBUSY" : "EINVAL")
    if (kind === "other" && node._tag === "Directory") throw fail("EISDIR")
    if (kind === "directory" && node._tag !== "Directory") throw fail("ENOTDIR")
    if (node._tag === "Directory" && node.names.size > 0) throw fail("ENOTEMPTY")
    change(now, [{ directory: parent, name, node: null }])
    dropLink(node)
  }

  return {
    stat: (path) => info(find("stat", path, true)),
    lstat: (path) => info(find("lstat", path, false)),
    realPath: (path) => {
      // Node takes ".." back before it looks at links.
      const { name, node, parent } = descend("realpath", normalize(path), true)
      if (node === null) throw new Errno({ code: "ENOENT", syscall: "realpath", path })
      const at = node._tag === "Directory" ? pathOf(node) : `${pathOf(parent)}/${name}`
      return at === "" ? "/" : at
    },
    readLink: (path) => {
      const node = find("readlink", path, false)
      if (node._tag !== "SymbolicLink") throw new Errno({ code: "EINVAL", syscall: "readlink", path })
      return node.target
    },
    readDirectory: (path) => {
      const node = find("scandir", path, true)
      if (node._tag !== "Directory") throw new Errno({ code: "ENOTDIR", syscall: "scandir", path })
      return [...node.names.keys()].toSorted()
    },
    makeDirectory: (path, mode, now) => {
      const { name, node, parent } = place("mkdir", path.replace(/(?<=[^/])\/+$/, ""))
      if (node !== null) throw new Errno({ code: "EEXIST", syscall: "mkdir", path })
      change(now, [{ directory: parent, name, node: directory(mode, now, parent) }])
    },
    symlink: (target, path, now) => {
      const { name, node, parent } = place("symlink", path)
      if (node !== null) throw new Errno({ code: "EEXIST", syscall: "symlink", path })
      if (target === "") throw new Errno({ code: "ENOENT", syscall: "symlink", path })
      const made: LinkNode = { _tag: "SymbolicLink", ...meta(linkType | 0o777, now), target }
      change(now, [{ directory: parent, name, node: made }])
    },
    link: (from, to, now) => {
      const node = find("link", from, false)
      const target = place("link", to)
      if (target.node !== null) throw new Errno({ code: "EEXIST", syscall: "link", path: from })
      if (node._tag === "Directory") throw new Errno({ code: "EPERM", syscall: "link", path: from })
      node.nlink += 1
      change(now, [{ directory: target.parent, name: target.name, node }])
    },
    rename: (from, to, now) => {
      const source = walk("rename", from, false)
      const target = walk("rename", to, false)
      const fail = (code: string) => new Errno({ code, syscall: "rename", path: from })
      if (source.name === "." || target.name === ".") throw fail("EBUSY")
      if (isTooLong(source.name)) throw fail("ENAMETOOLONG")
      const { node } = source
      if (node === null) throw fail("ENOENT")
      if (isTooLong(target.name)) throw fail("ENAMETOOLONG")
      if (node === target.node) return
      for (let at: DirectoryNode | null = source.parent; at !== null; at = at.parent)
        if (at === target.node) throw fail("ENOTEMPTY")
      if (node._tag === "Directory")
        for (let at: DirectoryNode | null = target.parent; at !== null; at = at.parent)
          if (at === node) throw fail("EINVAL")
      if (target.node !== null) {
        if (node._tag === "Directory" && target.node._tag !== "Directory") throw fail("ENOTDIR")
        if (node._tag !== "Directory" && target.node._tag === "Directory") throw fail("EISDIR")
        if (target.node._tag === "Directory" && target.node.names.size > 0) throw fail("ENOTEMPTY")
      }
      change(now, [
        { directory: source.parent, name: source.name, node: null },
        { directory: target.parent, name: target.name, node }
      ])
      if (target.node !== null) dropLink(target.node)
    },
    unlink: (path, now) => removeEntry("unlink", path, now, "other"),
    removeDirectory: (path, now) => removeEntry("rmdir", path, now, "directory"),
    setMode: (path, mode) => {
      const node = find("chmod", path, true)
      node.mode = (node.mode & ~0o7777) | (mode & 0o7777)
    },
    setOwner: (path, uid, gid) => {
      const node = find("chown", path, true)
      node.uid = uid
      node.gid = gid
    },
    setTimes: (path, atime, mtime) => {
      const node = find("utime", path, true)
      node.atime = atime
      node.mtime = mtime
    },
    truncatePath: (path, length, now) => {
      const node = find("open", path, true)
      if (node._tag !== "File") throw new Errno({ code: "EISDIR", syscall: "open", path })
      setLength("ftruncate", path, node, length, now)
    },

    open: (path, access, mode, now) => {
      const fail = (code: string) => new Errno({ code, syscall: "open", path })
      const found = descend("open", path, !(access.create && access.exclusive))
      if (found.node !== null && access.create && access.exclusive) throw fail("EEXIST")
      if (found.node?._tag === "SymbolicLink") throw fail("ELOOP")
      if (found.node?._tag === "Directory" && (access.write || access.create)) throw fail("EISDIR")
      if (found.node === null && !access.create) throw fail("ENOENT")
      let { node } = found
      if (node === null) {
        node = {
          _tag: "File",
          ...meta(fileType | (mode & 0o7777 & ~umask), now),
          content: makeBytes(),
          durable: makeBytes(),
          pending: [],
          descriptors: 0
        }
        change(now, [{ directory: found.parent, name: found.name, node }])
      } else if (node._tag === "File" && access.truncate) setLength("open", path, node, 0, now)
      if (node._tag === "File") node.descriptors += 1
      lastDescriptor += 1
      descriptors.set(lastDescriptor, { node, path, access })
      return lastDescriptor
    },
    close: (fd) => {
      const { node } = descriptor("close", fd)
      descriptors.delete(fd)
      if (node._tag === "File") {
        node.descriptors -= 1
        free(node)
      }
    },
    fstat: (fd) => info(descriptor("fstat", fd).node),
    read: (fd, target, position) => {
      const bytes = fileOf("read", fd, "read").content.view(position, position + target.length)
      target.set(bytes)
      return bytes.length
    },
    write: (fd, bytes, position, now) => {
      const node = fileOf("write", fd, "write")
      const { access, path } = descriptor("write", fd)
      const offset = access.append ? node.content.length() : position
      const room = capacity - used
      const growth = Math.max(0, offset + bytes.length - node.content.length())
      // A full disk takes what fits, and nothing the next time.
      const fits = growth <= room ? bytes.length : Math.max(0, bytes.length - (growth - room))
      if (fits === 0 && bytes.length > 0) throw new Errno({ code: "ENOSPC", syscall: "write", path })
      used += Math.max(0, offset + fits - node.content.length())
      if (fits > 0) changeContent(node, now, { _tag: "Write", offset, bytes: bytes.slice(0, fits) })
      return fits
    },
    truncate: (fd, length, now) => {
      const { access, node, path } = descriptor("ftruncate", fd)
      if (node._tag === "Directory" || !access.write) throw new Errno({ code: "EINVAL", syscall: "ftruncate", path })
      setLength("ftruncate", path, node, length, now)
    },
    sync: (fd) => {
      const { node } = descriptor("fsync", fd)
      if (node._tag === "File") syncContent(node)
      else syncNames(node)
    },

    kill: forget,
    cut: (cut) => {
      forget()
      settleNames(cut)
      reload()
      visitFiles(root, (node) => settleContent(node, cut))
      used = 0
      visitFiles(root, (node) => void (used += node.content.length()))
    },
    syncAll,
    clone: (options) => {
      const copies = new Map<Node, Node>()
      const copy = <N extends Node>(node: N): N => {
        const made = copies.get(node) ?? copyNode(node, copies)
        copies.set(node, made)
        return made as N
      }
      const names = pendingNames.map(({ effects }) => ({
        effects: effects.map(({ directory: parent, name, node }) => ({
          directory: copy(parent),
          name,
          node: node === null ? null : copy(node)
        }))
      }))
      const opened = new Map<number, Descriptor>()
      if (options?.descriptors === true)
        for (const [fd, { access, node, path }] of descriptors) {
          const same = copy(node)
          if (same._tag === "File") same.descriptors += 1
          opened.set(fd, { access, path, node: same })
        }
      return over({ root: copy(root), pendingNames: names, lastIno, capacity, used, descriptors: opened })
    },
    unsynced: () => {
      let count = pendingNames.length
      visitFiles(root, (node) => void (count += node.pending.length))
      return count
    },
    tree: () => {
      const all: Array<readonly [string, string | null]> = []
      const visit = (at: DirectoryNode, path: string) => {
        for (const [name, child] of [...at.names].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
          const content =
            child._tag === "File"
              ? decoder.decode(child.content.view(0, child.content.length()))
              : child._tag === "SymbolicLink"
                ? `→ ${child.target}`
                : null
          all.push([`${path}/${name}`, content])
          if (child._tag === "Directory") visit(child, `${path}/${name}`)
        }
      }
      visit(root, "")
      return all
    },
    used: () => used,
    setCapacity: (bytes) => {
      capacity = bytes
    },
    watch: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    watchers: () => listeners.size
  }
}
