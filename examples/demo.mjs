// The main job on a repository that this script makes itself: no Claude, no network.
// It stays in a temporary folder afterwards, so that you can look at everything; delete the folder when you are done.
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)
const folder = mkdtempSync(join(tmpdir(), "prodigy-demo-"))
const project = join(folder, "shop")
const home = join(folder, "prodigy-home")
const prodigy = join(root, "packages/cli/bin/prodigy.js")
const workflow = join(here, "workflows/add-headers.yml")
const environment = {
  ...process.env,
  PRODIGY_HOME: home,
  PRODIGY_CLAUDE_COMMAND: join(root, "packages/testing/fake-claude/claude")
}

const say = (text = "") => process.stdout.write(`${text}\n`)
const title = (text) => say(`\n── ${text} ${"─".repeat(Math.max(0, 74 - text.length))}`)
const git = (...args) => execFileSync("git", args, { cwd: project, encoding: "utf8" }).trim()

/** Shows a command as one would type it, runs it in the project, and checks how it ends. */
const run = (args, expected) => {
  say(`$ prodigy ${args.map((arg) => (arg.includes(" ") ? JSON.stringify(arg) : arg)).join(" ")}`)
  const { error, status } = spawnSync(process.execPath, [prodigy, ...args], {
    cwd: project,
    env: environment,
    stdio: "inherit"
  })
  if (error !== undefined || status !== expected) {
    process.stderr.write(
      `\nThe demo failed: exit code ${status} instead of ${expected}${error ? ` (${error.message})` : ""}.\n`
    )
    process.exit(1)
  }
}

const check = (holds, what) => {
  if (holds) return
  process.stderr.write(`\nThe demo failed: ${what}.\n`)
  process.exit(1)
}

title("A repository with 40 source files")
const areas = ["cart", "catalog", "checkout", "users"]
for (const area of areas) {
  mkdirSync(join(project, "src", area), { recursive: true })
  for (let index = 0; index < 10; index++) {
    const generated = area === "users" && index === 7
    const lines = [
      ...(generated ? ["// DO NOT EDIT: generated from schema.json"] : []),
      `export const ${area}${index} = (amount: number): number => amount + ${index}`
    ]
    writeFileSync(join(project, "src", area, `part-${index}.ts`), `${lines.join("\n")}\n`)
  }
}
writeFileSync(join(project, "README.md"), "# A shop\n")
git("init", "--quiet", "--initial-branch=main")
git("config", "user.name", "Demo")
git("config", "user.email", "demo@example.com")
git("add", "--all")
git("commit", "--quiet", "--message=A shop")
say(`${git("ls-files", "src").split("\n").length} files in ${project}`)

title("One agent for each file; one file fails on purpose")
run(["run", workflow, "--yes"], 3)

title("What came of it")
const merges = git("log", "--merges", "--grep=^Prodigy-Item:", "--oneline").split("\n")
say(`${merges.length} merge commits on main, the newest of them:`)
for (const line of merges.slice(0, 3)) say(`  ${line}`)
say("\nHEADERS.md, written by the reduce phase:")
say(git("show", "main:HEADERS.md").replaceAll(/^/gm, "  "))
say("\nsrc/cart/part-0.ts, as it is on main now:")
say(git("show", "main:src/cart/part-0.ts").replaceAll(/^/gm, "  "))
check(merges.length === 39, "there should be 39 merge commits, one for each item that worked")
check(git("status", "--porcelain") === "", "the checkout should be clean")
check(git("worktree", "list").split("\n").length === 1, "no worktree should be left")

title("The item that failed")
run(["dlq", "list"], 0)

title("Look further")
say(`cd ${project}
export PRODIGY_HOME=${home}
alias prodigy="node ${prodigy}"
prodigy sessions list
prodigy dlq inspect item_37
prodigy events list --limit 20
git log --graph --oneline | head -20`)
