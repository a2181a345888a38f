/** The command in this process, with everything real but its terminal: a repository and a storage of its own each. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Cli from "../src/Cli.ts"
import * as MainLayer from "../src/MainLayer.ts"
import * as TestScreen from "./TestScreen.ts"

export interface Ended {
  readonly code: number
  /** Standard output. */
  readonly data: string
  /** Standard error. */
  readonly notes: string
}

export interface Place {
  readonly folder: string
  readonly home: string
  readonly project: string
  /** Runs a command on the project, to its end. */
  readonly prodigy: (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Promise<Ended>
  /** Writes a file below the folder and gives its path. */
  readonly file: (path: string, content: string) => string
  readonly close: () => void
}

/** Runs a command line with these settings in the place of the environment's. */
export const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Promise<Ended> => {
  const screen = TestScreen.make()
  return Cli.run(args, { version: MainLayer.version, services: MainLayer.services }).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))),
    Effect.provide([screen.layer, NodeContext.layer]),
    Effect.map((code) => ({
      code,
      data: screen.written.data.map((text) => `${text}\n`).join(""),
      notes: screen.written.notes.map((text) => `${text}\n`).join("")
    })),
    Effect.runPromise
  )
}

/** A folder with a repository of one commit; close it afterwards. */
export const open = (): Place => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "prodigy-in-process-")))
  const home = join(folder, "home")
  const project = join(folder, "shop")
  const file: Place["file"] = (path, content) => {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content)
    return target
  }
  const git = (...args: ReadonlyArray<string>) => execFileSync("git", [...args], { cwd: project })
  file("shop/x.txt", "x\n")
  git("init", "--quiet", "--initial-branch=main")
  git("config", "user.name", "Test")
  git("config", "user.email", "test@example.com")
  git("add", "--all")
  git("commit", "--quiet", "--message=start")
  return {
    folder,
    home,
    project,
    file,
    prodigy: (args, env = {}) => run([...args, "--path", project], { PRODIGY_HOME: home, ...env }),
    close: () => rmSync(folder, { recursive: true, force: true })
  }
}
