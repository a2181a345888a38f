/** A small repository of git's, read and written without git: all of its objects and refs are loose files. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { deflateSync, inflateSync } from "node:zlib"

export interface Commit {
  readonly parents: ReadonlyArray<string>
  readonly tree: Readonly<Record<string, string>>
  readonly message: string
}

/** Files below a directory by path; null when there is none. What is git's own is left out. */
export const filesIn = (directory: string): Readonly<Record<string, string>> | null => {
  if (!existsSync(directory)) return null
  const tree: Record<string, string> = {}
  const visit = (path: string) => {
    for (const entry of readdirSync(`${directory}${path}`, { withFileTypes: true })) {
      if (entry.name === ".git") continue
      const at = `${path}/${entry.name}`
      if (entry.isDirectory()) visit(at)
      else tree[at.slice(1)] = readFileSync(`${directory}${at}`, "utf8")
    }
  }
  visit("")
  return tree
}

export const refsOf = (gitDirectory: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(filesIn(`${gitDirectory}/refs`) ?? {}).map(([ref, id]) => [`refs/${ref}`, id.trim()])
  )

export const setRef = (gitDirectory: string, ref: string, id: string | null): void => {
  if (id === null) return rmSync(`${gitDirectory}/${ref}`, { force: true })
  write(`${gitDirectory}/${ref}`, `${id}\n`)
}

/** Writes a file, and makes the directories that it is in. */
export const write = (path: string, content: string | Uint8Array): void => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

export const readCommit = (gitDirectory: string, id: string): Commit => {
  const text = readObject(gitDirectory, id).toString("utf8")
  const end = text.indexOf("\n\n")
  const header = text.slice(0, end).split("\n")
  const values = (key: string) =>
    header.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1))
  const tree: Record<string, string> = {}
  readTree(gitDirectory, values("tree")[0] ?? "", "", tree)
  return { parents: values("parent"), tree, message: text.slice(end + 2) }
}

const readTree = (gitDirectory: string, id: string, prefix: string, into: Record<string, string>): void => {
  const bytes = readObject(gitDirectory, id)
  for (let at = 0; at < bytes.length;) {
    const name = bytes.indexOf(0, at)
    const [mode, path = ""] = bytes.toString("utf8", at, name).split(" ")
    const child = bytes.toString("hex", name + 1, name + 21)
    if (mode === "40000") readTree(gitDirectory, child, `${prefix}${path}/`, into)
    else into[`${prefix}${path}`] = readObject(gitDirectory, child).toString("utf8")
    at = name + 21
  }
}

const readObject = (gitDirectory: string, id: string): Buffer => {
  const bytes = inflateSync(readFileSync(`${gitDirectory}/objects/${id.slice(0, 2)}/${id.slice(2)}`))
  return bytes.subarray(bytes.indexOf(0) + 1)
}

export const writeCommit = (gitDirectory: string, commit: Commit, seconds: number): string => {
  const who = `Ada <ada@example.org> ${seconds} +0000`
  const parents = commit.parents.map((parent) => `parent ${parent}\n`).join("")
  const tree = writeTree(gitDirectory, commit.tree)
  const text = `tree ${tree}\n${parents}author ${who}\ncommitter ${who}\n\n${commit.message}\n`
  return writeObject(gitDirectory, "commit", Buffer.from(text))
}

const writeTree = (gitDirectory: string, tree: Commit["tree"]): string => {
  const inner = new Map<string, Record<string, string>>()
  const entries: Array<{ readonly order: string; readonly mode: string; readonly name: string; readonly id: string }> =
    []
  for (const [path, content] of Object.entries(tree)) {
    const [name = "", ...rest] = path.split("/")
    if (rest.length === 0) {
      entries.push({ order: name, mode: "100644", name, id: writeObject(gitDirectory, "blob", Buffer.from(content)) })
      continue
    }
    inner.set(name, { ...inner.get(name), [rest.join("/")]: content })
  }
  for (const [name, below] of inner)
    entries.push({ order: `${name}/`, mode: "40000", name, id: writeTree(gitDirectory, below) })
  const bytes = entries
    .toSorted((a, b) => (a.order < b.order ? -1 : 1))
    .map(({ id, mode, name }) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, "hex")]))
  return writeObject(gitDirectory, "tree", Buffer.concat(bytes))
}

const writeObject = (gitDirectory: string, type: string, content: Buffer): string => {
  const bytes = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content])
  const id = createHash("sha1").update(bytes).digest("hex")
  const path = `${gitDirectory}/objects/${id.slice(0, 2)}/${id.slice(2)}`
  if (existsSync(path) && statSync(path).size > 0) return id
  write(path, deflateSync(bytes))
  return id
}
