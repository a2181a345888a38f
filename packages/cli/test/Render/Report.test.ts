import { assert, describe, it } from "@effect/vitest"
import { paused, report as render } from "../../src/Render/Report.ts"
import { plain } from "../../src/Render/Style.ts"
import { counts, jobId, letter, report, sessionId, view, waiting } from "../values.ts"

describe("Report", () => {
  it("says what was done, where it is and what to type next", () => {
    assert.strictEqual(
      render(report, [], plain),
      `Completed migrate

  session    ${sessionId}
  items      3: 3 done
  time       1m 04s
  merged     into main as 1234567890ab

Next
  prodigy sessions show ${sessionId}`
    )
  })

  it("names dead letters with their causes, and how to look at them", () => {
    const text = render(
      { ...report, total: 9, counts: { ...counts, merged: 2, dead_lettered: 7 }, usage: { ...report.usage, usd: 2 } },
      [letter("src/a.ts"), letter("b\u001b[2J", { error_type: "Timeout", timeout_ms: 300_000, scope: "agent" })],
      plain
    )
    assert.strictEqual(
      text,
      `Completed with dead letters migrate

  session    ${sessionId}
  items      9: 2 done, 7 in the dead letter queue
  time       1m 04s
  cost       $2.00, 0 tokens in, 0 out
  merged     into main as 1234567890ab

Dead letters
  src/a.ts: exit 3 at shell: npm test
  b\\e[2J: timeout of the agent after 5m 00s at shell: npm test
  and 5 more

Next
  prodigy dlq list --job-id ${jobId}
  prodigy dlq inspect --job-id ${jobId} src/a.ts
  prodigy dlq retry ${jobId}
  prodigy sessions show ${sessionId}`
    )
  })

  it("says what came of a retry of dead letters", () => {
    const retried = (tried: number, done: number, status: "completed" | "paused" = "completed") =>
      /^  retried .*$/m.exec(render({ ...report, status, retried: { tried, done } }, [], plain))?.[0]
    assert.strictEqual(retried(20, 15), "  retried    20: 15 done, 5 failed again")
    assert.strictEqual(retried(20, 20), "  retried    20: 20 done")
    assert.strictEqual(retried(20, 3, "paused"), "  retried    20: 3 done, 17 not")
    assert.isUndefined(retried(0, 0))
  })

  it("prints no endless item id as an argument: a shorter one, or the list only", () => {
    const dead = { ...report, total: 2, counts: { ...counts, dead_lettered: 2 } }
    const long = `src/${"very-".repeat(40)}long.ts`
    const inspected = (...ids: ReadonlyArray<string>) =>
      render(
        dead,
        ids.map((id) => letter(id)),
        plain
      )
        .split("\n")
        .filter((line) => line.includes("prodigy dlq"))
    assert.deepStrictEqual(inspected(long, "b"), [
      `  prodigy dlq list --job-id ${jobId}`,
      `  prodigy dlq inspect --job-id ${jobId} b`,
      `  prodigy dlq retry ${jobId}`
    ])
    assert.deepStrictEqual(inspected(long), [`  prodigy dlq list --job-id ${jobId}`, `  prodigy dlq retry ${jobId}`])
    for (const line of render(dead, [letter(long)], plain).split("\n")) assert.isAtMost(line.length, 120)
  })

  it("says how to merge when a person has to", () => {
    const text = render(waiting("conflict"), [], plain)
    assert.include(text, "Completed, not merged migrate\n")
    assert.include(text, "  not merged it conflicts with main in\n             src/a.ts\n")
    assert.include(text, `Next\n  git merge prodigy-${sessionId}  # and resolve the conflicts\n`)
    const dirty = render(waiting("dirty_target"), [], plain)
    assert.include(dirty, `\n  git merge prodigy-${sessionId}  # when these changes are committed or stashed\n`)
    assert.include(render(waiting("not_asked"), [], plain), "nobody could be asked (-y merges without asking)")
    assert.include(render(waiting("no_target_branch"), [], plain), "HEAD was not on a branch")
  })

  it("says how to look at skipped items", () => {
    const text = render({ ...report, counts: { ...counts, merged: 2, skipped: 1 } }, [], plain)
    assert.include(text, `\n  prodigy events list --job-id ${jobId} --event-type agent_failed\n`)
  })

  it("says why a run failed and where its work is", () => {
    const failed = {
      ...report,
      status: "failed" as const,
      phase: "map",
      finish: null,
      failure: {
        cause: { error_type: "Unknown" as const },
        message: "3 items failed\nand more",
        step: null,
        context: [],
        output_tail: "",
        log: "/home/dana/.prodigy/logs/shop/setup.log"
      },
      kept: ["refs/prodigy/rescue/a"]
    }
    const text = render(failed, [], plain)
    assert.include(text, "Failed migrate in phase map: 3 items failed\\nand more\n")
    assert.include(
      text,
      "  worktree   /home/dana/.prodigy/worktrees/shop/s\n  log        /home/dana/.prodigy/logs/shop/setup.log\n  kept       refs/prodigy/rescue/a\n"
    )
    assert.include(text, `  prodigy events list --job-id ${jobId}\n`)
  })

  it("says after an interruption what there is", () => {
    assert.strictEqual(paused(null, plain), "Interrupted before anything was made.")
    assert.include(paused(view, plain), `prodigy resume ${sessionId}`)
  })
})
