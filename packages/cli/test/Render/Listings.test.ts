import { assert, describe, it } from "@effect/vitest"
import { deadLetter, deadLetters } from "../../src/Render/DeadLetters.ts"
import { event, failureLine, progressLine } from "../../src/Render/Events.ts"
import { session as renderSession, sessions } from "../../src/Render/Sessions.ts"
import { plain } from "../../src/Render/Style.ts"
import { event as eventOf, jobId, letter, session, sessionId, startedAt, startedAtMillis } from "../values.ts"

const nowMillis = startedAtMillis + 7_200_000

describe("Sessions", () => {
  it("are listed one a line", () => {
    assert.strictEqual(
      sessions([{ session, shown: "Interrupted" }], { nowMillis, withRepository: true, style: plain, columns: null }),
      `SESSION                            STATUS       PROGRESS               AGE  COST   REPOSITORY  WORKFLOW
${sessionId}  interrupted  finish 9/10, 1 failed  2h   $4.20  shop        migrate`
    )
  })

  it("that wait for the agent's quota are listed as waiting, and until when", () => {
    const waiting = { ...session, outcome: "waiting until 2026-01-31T09:30:00.000Z for the agent's quota" }
    const options = { nowMillis, withRepository: false, style: plain, columns: null }
    assert.match(sessions([{ session: waiting, shown: "Running" }], options), / waiting, 01-31 09:30Z  finish 9\/10/)
    assert.match(sessions([{ session: waiting, shown: "Paused" }], options), / paused +finish/)
    assert.match(sessions([{ session, shown: "Running" }], options), / running +finish/)
  })

  it("are shown with everything there is to know", () => {
    assert.strictEqual(
      renderSession({ session, shown: "Completed" }, { nowMillis, style: plain }),
      `${sessionId}
  status       completed
  workflow     migrate (migrate.yml)
  repository   shop (/work/shop)
  job          ${jobId}
  started      ${startedAt} (2h ago)
  completed    2026-01-31T08:05:00.000Z
  progress     finish 9/10, 1 failed
  branch       prodigy-${sessionId}
  target       main
  worktree     /w
  cost         $4.20
  outcome      merged into main
  map took     1m 01s

Next
  prodigy dlq list --job-id ${jobId}
  prodigy events list --job-id ${jobId}`
    )
  })
})

describe("a session that waits to be merged", () => {
  it("is shown with the command that merges it", () => {
    const outcome = `waiting on branch prodigy-${sessionId} (declined)`
    const text = renderSession({ session: { ...session, outcome }, shown: "Completed" }, { nowMillis, style: plain })
    assert.include(text, `\nNext\n  git merge prodigy-${sessionId}  # in your checkout of main\n`)
  })
})

describe("DeadLetters", () => {
  it("are listed with cause and message, shortened to the terminal", () => {
    assert.strictEqual(
      deadLetters([letter("src/a.ts"), letter("日本", { error_type: "MergeConflict", paths: ["x"] })], {
        style: plain,
        columns: 60
      }),
      `ITEM      STATUS  ATTEMPTS  CAUSE          ERROR
src/a.ts  failed  1         exit 3         The script exite…
日本      failed  1         conflict in x  The script exite…`
    )
  })

  it("are shown with their history, harmlessly", () => {
    assert.strictEqual(
      deadLetter(letter("src/a.ts"), plain),
      `src/a.ts
  status       failed
  data         {"path":"src/a.ts"}
  signature    CommandFailed:3|shell: npm test|The script exited with <n>.
  branch       prodigy-agent-0
  uncommitted  refs/prodigy/rescue/j/i/1

Attempt 1 ${startedAt}, 1s
  exit 3 at shell: npm test
  The script exited with 3.
  log: /logs/a.log

Last output
  one
  \\e[31mtwo\\e[0m

Next
  git show prodigy-agent-0
  git show refs/prodigy/rescue/j/i/1`
    )
  })
})

describe("Events", () => {
  const failed = eventOf({
    event_type: "agent_failed",
    job_id: jobId,
    agent_id: `${jobId}_agent_0`,
    item_id: "src/a.ts",
    attempt: 1,
    duration_ms: 1500,
    error: "The script exited with 3.\u001b[2J",
    error_type: "CommandFailed",
    failure_reason: "exit"
  })

  it("are listed one a line", () => {
    assert.strictEqual(
      event(failed, plain),
      `${startedAt}  agent_failed            src/a.ts  attempt=1  duration_ms=1500  error=The script exited with 3.\\e[2J  error_type=CommandFailed  failure_reason=exit`
    )
  })

  it("of other versions are listed too", () => {
    const unknown = eventOf({ event_type: "moon_phase", job_id: jobId, phase: { full: true } })
    assert.strictEqual(event(unknown, plain), `${startedAt}  moon_phase              phase={"full":true}`)
    assert.isNull(progressLine(unknown))
  })

  it("make a line of progress each, where something changed", () => {
    assert.strictEqual(progressLine(failed), "08:00:00 src/a.ts failed after 1s: The script exited with 3.\\e[2J")
    assert.strictEqual(failureLine(failed, plain), progressLine(failed))
    const started = eventOf({ event_type: "map_phase_started", job_id: jobId, total_items: 1 })
    assert.strictEqual(progressLine(started), "08:00:00 map started: 1 item")
    assert.isNull(failureLine(started, plain))
    const tokens = eventOf({ event_type: "memory_pressure", job_id: jobId, rss_bytes: 1 })
    assert.isNull(progressLine(tokens))
  })
})
