/**
 * What must be true after a round: pure functions from evidence to violations, each a sentence that says exactly what is
 * wrong.
 */
import type { Evidence } from "./Evidence.ts"
import { fileOf, type Item } from "./Scenario.ts"

type Check = (evidence: Evidence) => ReadonlyArray<string>

const times = <A>(all: ReadonlyArray<A>, one: A): number => all.filter((other) => other === one).length

const doneRecords = (evidence: Evidence, item: Item) =>
  evidence.records.filter(
    (record) => (record.type === "item_completed" || record.type === "item_failed") && record.item_id === item.id
  )

/** Every item is merged exactly once, or in the dead letters exactly once, and never both. */
const itemsEndOnce: Check = (evidence) =>
  evidence.items.flatMap((item) => {
    const { content, path } = fileOf(item)
    const merges = times(evidence.merges, item.id)
    const letters = times(evidence.letters, item.id)
    const failures = evidence.records.filter((record) => record.type === "item_failed" && record.item_id === item.id)
    const found = evidence.files.get(path)
    const problems: Array<string> = []
    const mustFail = item.kind === "fail" || item.kind === "conflict"
    const mayFail = mustFail || item.kind === "rival"
    if (letters !== failures.length) {
      problems.push(`${item.id} (${item.kind}) has ${failures.length} records of failure and ${letters} dead letters`)
    }
    if (letters > 0 && !mayFail) problems.push(`${item.id} (${item.kind}) is in the dead letters`)
    if (item.kind === "none") {
      if (merges !== 0) problems.push(`${item.id} made no commit and is merged ${merges} times`)
      if (doneRecords(evidence, item).length !== 1) problems.push(`${item.id} has not one end in the journal`)
      return problems
    }
    if (merges + letters !== 1) {
      problems.push(`${item.id} (${item.kind}) is merged ${merges} times and in the dead letters ${letters} times`)
    }
    if (mustFail && merges > 0) problems.push(`${item.id} (${item.kind}) is merged`)
    if (merges > 0 && found !== content)
      problems.push(`${path} of the merged ${item.id} holds ${JSON.stringify(found)}`)
    if (merges === 0 && found !== undefined)
      problems.push(`${path} of ${item.id}, which is not merged, is in the target`)
    return problems
  })

/** Nothing that was recorded done when a process was killed was begun by a later one. */
const nothingRunsAgain: Check = (evidence) =>
  evidence.kills.flatMap((kill) => {
    const done = new Set(kill.done)
    return evidence.began
      .filter(({ run, what }) => run > kill.run && done.has(what))
      .map(
        ({ run, what }) => `${what} was recorded done before process ${kill.run} was killed and began again in ${run}`
      )
  })

/** The side log knows every item and step that is recorded done. */
const nothingIsInvented: Check = (evidence) => {
  const began = new Set(evidence.began.map(({ what }) => what))
  return evidence.items.filter((item) => !began.has(`item:${item.id}`)).map((item) => `${item.id} never ran`)
}

/** Reduce ran to its end once: a record for each step and one for all, and each step's file in the target. */
const reduceEndsOnce: Check = ({ files, reduceSteps, records }) => {
  const ends = records.filter(({ type }) => type === "reduce_completed").length
  const problems = ends === 1 ? [] : [`reduce ended ${ends} times`]
  for (let step = 0; step < reduceSteps; step++) {
    const done = records.filter((record) => record.type === "reduce_step_completed" && record.step === step).length
    if (done !== 1) problems.push(`reduce step ${step} is recorded ${done} times`)
    const content = files.get(`reduce-${step}.txt`)
    if (content === undefined) problems.push(`reduce-${step}.txt is not in the target`)
    else if (!content.startsWith(`step ${step}: `) || !content.endsWith(" v7\n")) {
      problems.push(`reduce-${step}.txt holds ${JSON.stringify(content)}`)
    }
  }
  return problems
}

/** The journal folds to a completed, merged job, and the session says the same. */
const stateIsTold: Check = ({ session, state }) => {
  if (typeof state === "string") return [state]
  const problems: Array<string> = []
  if (state.status !== "completed") problems.push(`the journal folds to a ${state.status} job`)
  if (state.finish?.outcome !== "merged") problems.push(`the final merge is recorded as ${state.finish?.outcome}`)
  if (session.status !== "Completed") problems.push(`the session is ${session.status}`)
  if (session.worktree !== null) problems.push("the session still names a worktree")
  const { counts } = state
  const { completed, failed, skipped } = session.progress
  if (completed !== counts.merged || failed !== counts.dead_lettered || skipped !== counts.skipped) {
    problems.push(
      `the session counts ${completed} merged, ${failed} failed, ${skipped} skipped; the journal ${counts.merged}, ${counts.dead_lettered}, ${counts.skipped}`
    )
  }
  return problems
}

/** The user's checkout is clean and at the target. */
const checkoutIsClean: Check = ({ head, status, target }) => [
  ...(head === target ? [] : [`the checkout is at ${head}, the target at ${target}`]),
  ...status.map((line) => `the checkout is not clean: ${line}`)
]

const repositoryIsSound: Check = ({ fsck }) => fsck.map((line) => `git fsck: ${line}`)

/** Nothing is left of worktrees, merged branches, processes, locks and temporary files. */
const nothingIsLeft: Check = (evidence) => [
  ...evidence.worktrees.map((path) => `a worktree is left: ${path}`),
  ...evidence.branches.map((name) => `a merged branch is left: ${name}`),
  ...evidence.processes.map((line) => `a process is left: ${line}`),
  ...evidence.locks.map((path) => `a lock is left: ${path}`),
  ...evidence.temporaries.map((path) => `a temporary file is left: ${path}`)
]

const checks: ReadonlyArray<Check> = [
  itemsEndOnce,
  nothingRunsAgain,
  nothingIsInvented,
  reduceEndsOnce,
  stateIsTold,
  checkoutIsClean,
  repositoryIsSound,
  nothingIsLeft
]

/** All that is wrong with what a round has left. */
export const violations = (evidence: Evidence): ReadonlyArray<string> => checks.flatMap((check) => check(evidence))
