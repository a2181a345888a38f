import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const packages = join(dirname(fileURLToPath(import.meta.url)), "../../..")
/** The command, as a path. */
export const prodigyPath = join(packages, "cli/bin/prodigy.js")
/** The agent that stands for the real one. */
export const claudePath = join(packages, "testing/fake-claude/claude")

/** How a command ended. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs. */
export interface Running {
  readonly pid: number
  readonly ended: Promise<Ended>
  readonly kill: (signal: NodeJS.Signals) => void
  /** Resolves when standard error holds the text. */
  readonly said: (text: string) => Promise<void>
}

/** A temporary folder with a storage directory of its own, for the real command on real repositories. */
export interface Sandbox {
  readonly folder: string
  readonly home: string
  /** Makes a repository with `files` committed, and gives its path. */
  readonly repository: (name: string, files: Readonly<Record<string, string>>) => string
  readonly git: (repository: string, ...args: ReadonlyArray<string>) => string
  /** Runs the command in a directory to its end. */
  readonly prodigy: (cwd: string, args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Promise<Ended>
  /** As `prodigy`, with the running command at hand. */
  readonly start: (cwd: string, args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Running
  /** Writes a file into the folder and gives its path. */
  readonly file: (path: string, content: string) => string
  readonly read: (path: string) => string
  readonly close: () => void
}

/** A fresh sandbox; close it afterwards. */
export const open = (): Sandbox => {
  // Its canonical path: the temporary directory may be reached through a symlink.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "prodigy-e2e-")))
  const home = join(folder, "home")
  const git = (repository: string, ...args: ReadonlyArray<string>) =>
    execFileSync("git", [...args], { cwd: repository, encoding: "utf8", maxBuffer: 256 * 1024 * 1024 }).trim()
  const file = (path: string, content: string) => {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content)
    return target
  }
  const children = new Set<ChildProcess>()
  const start: Sandbox["start"] = (cwd, args, env = {}) => {
    const child = spawn(process.execPath, [prodigyPath, ...args], {
      cwd,
      env: { ...process.env, PRODIGY_HOME: home, PRODIGY_CLAUDE_COMMAND: claudePath, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    children.add(child)
    child.once("close", () => children.delete(child))
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk))
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code, signal) => resolve({ code: code ?? (signal === "SIGKILL" ? 137 : 1), stdout, stderr }))
    })
    const said = (text: string) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!stderr.includes(text)) return
          child.stderr.off("data", check)
          resolve()
        }
        child.stderr.on("data", check)
        check()
      })
    return { pid: child.pid ?? 0, ended, kill: (signal) => void child.kill(signal), said }
  }
  return {
    folder,
    home,
    git,
    file,
    read: (path) => readFileSync(join(folder, path), "utf8"),
    repository: (name, files) => {
      const path = join(folder, name)
      for (const [relative, content] of Object.entries(files)) file(join(name, relative), content)
      mkdirSync(path, { recursive: true })
      git(path, "init", "--quiet", "--initial-branch=main")
      git(path, "config", "user.name", "Test")
      git(path, "config", "user.email", "test@example.com")
      git(path, "add", "--all")
      git(path, "commit", "--quiet", "--allow-empty", "--message=start")
      return path
    },
    prodigy: (cwd, args, env) => start(cwd, args, env).ended,
    start,
    close: () => {
      // What a failed test left: the second signal ends it at once, with its steps.
      for (const child of children) for (const signal of ["SIGINT", "SIGTERM"] as const) child.kill(signal)
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Names of all files below a directory; empty when it does not exist. */
export const tree = (directory: string): ReadonlyArray<string> =>
  existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: "utf8" }).sort() : []

/** `count` files, `path(i)` to content. */
export const files = (
  count: number,
  path: (index: number) => string,
  content: (index: number) => string = (index) => `content ${index}\n`
): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [path(index), content(index)]))
