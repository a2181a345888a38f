/**
 * A disk that fills up in the middle of a run: a small file system of its own, which only root may mount. What this shows
 * on a real disk, `packages/core/test/engine/FullDisk.test.ts` shows everywhere.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
let mounted: boolean
beforeEach(() => {
  sandbox = Sandbox.open()
  mounted = mount(sandbox.home)
})
afterEach(() => {
  if (mounted) execFileSync("umount", ["--lazy", sandbox.home])
  sandbox.close()
})

describe("a disk that fills up in the middle of a run", () => {
  it("stops it with what to do; with space again every item is done once, and nothing is lost", async (context) => {
    if (!mounted) {
      process.stderr.write("\nSKIPPED: no file system can be mounted here, so no real disk is filled up.\n")
      return context.skip()
    }
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const filler = join(sandbox.home, "filler")
    const log = () => readFileSync(join(sandbox.folder, "log"), "utf8").trim().split("\n")
    const workflow = sandbox.file("full.yml", workflowOf({ filler, folder: sandbox.folder }))

    const first = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])
    assert.strictEqual(first.code, 1, first.stderr)
    assert.notInclude(first.stderr, "    at ")
    assert.match(first.stderr, /no space left on device|is full/)
    assert.include(first.stderr.toLowerCase(), "free some")
    if (first.stdout !== "") assert.strictEqual(JSON.parse(first.stdout).status, "failed")
    const before = log()

    // Still full: refused with the reason, and nothing was lost by trying.
    const again = await sandbox.prodigy(repository, ["resume", "-y"])
    assert.strictEqual(again.code, 1, again.stderr)
    assert.match(again.stderr, /no space left on device|is full/)
    assert.notInclude(again.stderr, "    at ")

    rmSync(filler)
    // All items are done, then a step of the reduce phase fills the disk.
    const reducing = await sandbox.prodigy(repository, ["resume", "-y"])
    assert.strictEqual(reducing.code, 1, reducing.stderr)
    assert.match(reducing.stderr, /no space left on device|is full/)
    assert.isTrue(existsSync(join(sandbox.folder, "filled-reduce")), reducing.stderr)

    rmSync(filler)
    const last = await sandbox.prodigy(repository, ["resume", "-y", "--json"])
    assert.strictEqual(last.code, 0, last.stderr)
    const report = JSON.parse(last.stdout)
    assert.strictEqual(report.counts.merged, 10)
    assert.strictEqual(report.counts.dead_lettered, 0)
    assert.strictEqual(sandbox.git(repository, "show", "main:all.txt").split("\n").length, 10)
    const merges = sandbox.git(repository, "log", "--format=%s", "main").split("\n")
    assert.strictEqual(merges.filter((subject) => subject.startsWith("Merge mapreduce-")).length, 10)
    for (const item of ["1", "2"]) {
      // Recorded before the disk was full: never again.
      assert.strictEqual(log().filter((line) => line === item).length, 1, `${before.join(" ")} | ${log().join(" ")}`)
    }
    assert.strictEqual((await sandbox.prodigy(repository, ["resume"])).code, 0)
  })
})

/** More items than have to fail for the job to stop. The third, and the first step of the reduce phase, fill the disk once. */
const workflowOf = ({ filler, folder }: { readonly filler: string; readonly folder: string }) => `name: full
map:
  input: { items: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }
  max_parallel: 2
  agent_template:
    - shell: |
        echo \${item} >> ${folder}/log
        if [ \${item} = 3 ] && [ ! -e ${folder}/filled ]; then
          : > ${folder}/filled
          dd if=/dev/zero of=${filler} bs=64k
        fi
        head -c 100000 /dev/zero | tr '\\0' x > "out-\${item}"
reduce:
  - shell: |
      if [ ! -e ${folder}/filled-reduce ]; then
        : > ${folder}/filled-reduce
        dd if=/dev/zero of=${filler} bs=64k
        exit 1
      fi
  - shell: ls out-* > all.txt
`

/** Mounts a small empty disk; false where that is not allowed. */
const mount = (path: string): boolean => {
  mkdirSync(path, { recursive: true })
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=80m", "tmpfs", path], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}
