/**
 * What must be true after a round: pure functions from evidence to violations, each a sentence that says exactly what is
 * wrong.
 */
import type { Evidence, Ground, WorkflowEvidence } from "./Evidence.ts"
import { fileOf, type Item, stepFileOf } from "./Scenario.ts"

type Check<In> = (evidence: In) => ReadonlyArray<string>

const times = <A>(all: ReadonlyArray<A>, one: A): number => all.filter((other) => other === one).length

const doneRecords = (evidence: Evidence, item: Item) =>
  evidence.records.filter(
    (record) => (record.type === "item_completed" || record.type === "item_failed") && record.item_id === item.id
  )

/** Every item is merged exactly once, or in the dead letters exactly once, and never both. */
const itemsEndOnce: Check<Evidence> = (evidence) =>
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
const nothingRunsAgain: Check<Ground> = (evidence) =>
  evidence.kills.flatMap((kill) => {
    const done = new Set(kill.done)
    return evidence.began
      .filter(({ run, what }) => run > kill.run && done.has(what))
      .map(
        ({ run, what }) => `${what} was recorded done before process ${kill.run} was killed and began again in ${run}`
      )
  })

/** The side log knows every item and step that is recorded done. */
const nothingIsInvented: Check<Evidence> = (evidence) => {
  const began = new Set(evidence.began.map(({ what }) => what))
  return evidence.items.filter((item) => !began.has(`item:${item.id}`)).map((item) => `${item.id} never ran`)
}

/** Reduce ran to its end once: a record for each step and one for all, and each step's file in the target. */
const reduceEndsOnce: Check<Evidence> = ({ files, reduceSteps, records }) => {
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
const stateIsTold: Check<Evidence> = ({ session, state }) => {
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
const checkoutIsClean: Check<Ground> = ({ head, status, target }) => [
  ...(head === target ? [] : [`the checkout is at ${head}, the target at ${target}`]),
  ...status.map((line) => `the checkout is not clean: ${line}`)
]

const repositoryIsSound: Check<Ground> = ({ fsck }) => fsck.map((line) => `git fsck: ${line}`)

/** Nothing is left of worktrees, merged branches, processes, locks and temporary files. */
const nothingIsLeft: Check<Ground> = (evidence) => [
  ...evidence.worktrees.map((path) => `a worktree is left: ${path}`),
  ...evidence.orphans.map((line) => `a worktree could not be removed: ${line}`),
  ...evidence.branches.map((name) => `a merged branch is left: ${name}`),
  ...evidence.processes.map((line) => `a process is left: ${line}`),
  ...evidence.locks.map((path) => `a lock is left: ${path}`),
  ...evidence.temporaries.map((path) => `a temporary file is left: ${path}`)
]

const shared = [nothingRunsAgain, checkoutIsClean, repositoryIsSound, nothingIsLeft]

const checks: ReadonlyArray<Check<Evidence>> = [itemsEndOnce, nothingIsInvented, reduceEndsOnce, stateIsTold, ...shared]

/** All that is wrong with what a round with a job has left. */
export const violations = (evidence: Evidence): ReadonlyArray<string> => checks.flatMap((check) => check(evidence))

/** Each process goes on at the first step that was not recorded, and takes one after the other from there. */
const stepsFollow: Check<WorkflowEvidence> = ({ began, kills, steps }) => {
  const problems: Array<string> = []
  for (const run of new Set(began.map((one) => one.run))) {
    const first = kills.findLast((kill) => kill.run < run)?.done.length ?? 0
    const found = began.filter((one) => one.run === run).map(({ what }) => what)
    const due = found.map((_, index) => `step:${first + index}`)
    if (found.join() !== due.join())
      problems.push(`process ${run} ran ${found.join(", ")} instead of ${due.join(", ")}`)
  }
  for (let step = 0; step < steps; step++) {
    if (!began.some(({ what }) => what === `step:${step}`)) problems.push(`step ${step} never ran`)
  }
  return problems
}

/** Each step's file is in the target, with the values that the steps before it had when they were recorded. */
const variablesAreBack: Check<WorkflowEvidence> = ({ began, files, steps }) =>
  Array.from({ length: steps }, (_, step) => step).flatMap((step) => {
    const { content, path } = stepFileOf(
      step,
      Array.from({ length: step }, (_, before) => began.findLast(({ what }) => what === `step:${before}`)?.run ?? 0)
    )
    const found = files.get(path)
    return found === content
      ? []
      : [`${path} holds ${JSON.stringify(found)} in the target, instead of ${JSON.stringify(content)}`]
  })

/** The checkpoint tells a completed, merged session, and the session says the same. */
const sessionIsTold: Check<WorkflowEvidence> = ({ session, state }) => [
  ...(state?.status === "completed" ? [] : [`the checkpoint tells of a ${state?.status} session`]),
  ...(state?.finish?.outcome === "merged" ? [] : [`the final merge is recorded as ${state?.finish?.outcome}`]),
  ...(session.status === "Completed" ? [] : [`the session is ${session.status}`]),
  ...(session.worktree === null ? [] : ["the session still names a worktree"])
]

const workflowChecks: ReadonlyArray<Check<WorkflowEvidence>> = [stepsFollow, variablesAreBack, sessionIsTold, ...shared]

/** All that is wrong with what a round with a standard workflow has left. */
export const workflowViolations = (evidence: WorkflowEvidence): ReadonlyArray<string> =>
  workflowChecks.flatMap((check) => check(evidence))
