/**
 * What must be true of all that is recorded of a job: journal, checkpoints, session, mappings, dead letters and their index,
 * events and git agree.
 *
 * Pure functions over `JobEvidence`, for tests after every crash and for `doctor`. What is derived from the journal may be behind
 * it while somebody drives the job, and until the next resume when its driver was killed; it never says more than the journal.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { statusOf } from "../domain/Session.ts"
import type { DeadLetter } from "../domain/DeadLetter.ts"
import * as DeadLetterSummary from "../domain/DeadLetterSummary.ts"
import type { JobRecord } from "../domain/JobRecord.ts"
import { itemAt } from "../domain/JobState.ts"
import * as Usage from "../domain/Usage.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import * as RefName from "../workspace/RefName.ts"
import type { JobEvidence } from "./JobEvidence.ts"

/**
 * How bad it is. `under_way`: somebody who lives is at it. `left`: a crash left it so, and the next resume, or command that
 * needs it, puts it right. `broken`: it must never be.
 *
 * @since 0.1.0
 * @category models
 */
export type Severity = "under_way" | "left" | "broken"

/**
 * Something that is not as it must be.
 *
 * @since 0.1.0
 * @category models
 */
export interface Violation {
  readonly invariant: Invariant
  readonly severity: Severity
  /** One sentence. */
  readonly detail: string
  /** The file that it is about; empty where there is none. */
  readonly path: string
  /** A person may have done that on purpose: removed a dead letter, deleted a branch, rewritten one. */
  readonly byHand: boolean
}

type Check = (evidence: JobEvidence) => ReadonlyArray<Omit<Violation, "invariant">>

const violation = (severity: Severity, detail: string) => ({ severity, detail, path: "", byHand: false })

const broken = (detail: string, byHand = false) => ({ ...violation("broken", detail), byHand })

/** What is behind the journal, because its driver is at it or was killed. */
const behind = ({ isDriven }: JobEvidence, detail: string) => violation(isDriven ? "under_way" : "left", detail)

/** Every file can be read and holds what it should. */
const filesAreWhole: Check = ({ damaged, files }) => [
  ...[files.jobFile, files.journal, files.items, files.summary].flatMap(({ path, problem, status }) =>
    status === "damaged" ? [{ ...broken(problem ?? ""), path }] : []
  ),
  ...damaged.map(({ message, path }) => ({ ...broken(message), path }))
]

/** Every checkpoint equals the fold of the journal up to its seq. */
const checkpointsAreFolds: Check = ({ files }) =>
  files.snapshots.flatMap(({ check }) => (check.status === "damaged" ? [broken(check.problem ?? check.path)] : []))

/** Job, session and both halves of the mapping name each other. */
const sessionIsTheJobs: Check = (evidence) => {
  const { entries, files, job, jobId, mappings, session, sessionId } = evidence
  if (job === null) {
    return files.jobFile.status === "absent" && files.state.seq > 0 ? [broken("There is a journal, and no job.")] : []
  }
  const { state } = files
  const names = (what: string, found: { readonly job_id: string | null; readonly session_id: string | null }) =>
    found.job_id === jobId && found.session_id === sessionId
      ? []
      : [broken(`${what} names job ${found.job_id} and session ${found.session_id}.`)]
  const halves = [
    ["session", mappings.ofSession],
    ["job", mappings.ofJob]
  ] as const
  const [one, other] = [mappings.ofSession, mappings.ofJob].map((half) => JSON.stringify(half))
  return [
    ...names("The job's file", job),
    // One that was cancelled before it began has no record that names it.
    ...(entries.some(({ record }) => record.type === "job_started") ? names("The journal", state) : []),
    ...(session === null
      ? [behind(evidence, `Session ${sessionId} has no file.`)]
      : names("The session", { job_id: session.job_id, session_id: session.id })),
    ...halves.flatMap(([what, half]) =>
      half === null ? [behind(evidence, `The ${what} has no mapping.`)] : names(`The mapping of the ${what}`, half)
    ),
    ...(one === other || one === "null" || other === "null"
      ? []
      : [behind(evidence, "The halves of the mapping differ.")])
  ]
}

/** A job that is under way has an owner who lives. */
const ownerLives: Check = ({ files: { state }, isDriven, job }) =>
  job !== null && !isDriven && (state.status === "running" || state.status === "new")
    ? [violation("left", `The job is ${state.status}, and nobody drives it.`)]
    : []

/** The session says what the fold says: status, counts, cost; never more. */
const sessionTellsTheState: Check = (evidence) => {
  const { entries, files, job, session } = evidence
  const { counts, finish, status, usage } = files.state
  if (session === null || job === null || files.journal.status === "damaged") return []
  const { cost, progress } = session
  const spent = entries.reduce((sum, { record }) => Usage.add(sum, usageOf(record)), Usage.none)
  const found = []
  if (!sameUsage(spent, usage)) found.push(broken("The usage in the state is not the sum of the records'."))
  const due = statusOf(files.state.status)
  // Only the journal's own word makes these, all at once. A run that ends with an error says that it failed and no more,
  // whatever the job is.
  const isTold = session.status === "Completed" || session.status === "Paused" || session.status === "Cancelled"
  if (session.status !== due) {
    if (evidence.isDriven) found.push(behind(evidence, `The session is ${session.status}, the job ${status}.`))
    else if (isTold) found.push(broken(`The session is ${session.status}, the job ${status}.`))
    else if (due !== "Running" && due !== "Initializing")
      found.push(behind(evidence, `The session is ${session.status}, the job ${status}.`))
  }
  if (progress.kind !== "mapreduce") return [...found, broken("The session is that of a standard workflow.")]
  const { completed, failed, skipped } = progress
  const told = `${completed} merged, ${failed} failed, ${skipped} skipped`
  const folded = `${counts.merged} merged, ${counts.dead_lettered} failed, ${counts.skipped} skipped`
  if (completed > counts.merged || !isWithin(cost, usage)) {
    found.push(
      broken(`The session says more than the journal: ${told} for ${cost.usd}, not ${folded} for ${usage.usd}.`)
    )
  } else if (session.status === due && due !== "Running" && (told !== folded || !sameUsage(cost, usage))) {
    const detail = `The session says ${told} for ${cost.usd}, the journal ${folded} for ${usage.usd}.`
    found.push(isTold && !evidence.isDriven ? broken(detail) : behind(evidence, detail))
  }
  if (due === "Completed" && session.status === due && finish?.outcome !== "waiting" && session.worktree !== null)
    found.push(behind(evidence, `The session still names worktree ${session.worktree.path}.`))
  return found
}

const usageOf = (record: JobRecord): Usage.Usage => ("usage" in record ? (record.usage ?? Usage.none) : Usage.none)

const sameUsage = Schema.equivalence(Usage.Usage)

const isWithin = (one: Usage.Usage, other: Usage.Usage): boolean =>
  one.input_tokens <= other.input_tokens &&
  one.output_tokens <= other.output_tokens &&
  one.cache_tokens <= other.cache_tokens &&
  one.usd <= other.usd

/** The summary is that of the fold at its seq, and of the last record when nothing is under way. */
const summaryTellsTheState: Check = (evidence) => {
  const { files, summary } = evidence
  const { state } = files
  if (summary === null || files.journal.status === "damaged") return []
  if (summary.seq < state.seq) {
    const isOver = state.status !== "running" && !evidence.isDriven
    return isOver ? [behind(evidence, `The summary is that after record ${summary.seq} of ${state.seq}.`)] : []
  }
  const told = JSON.stringify([summary.status, summary.phase, summary.total, Object.entries(summary.counts).toSorted()])
  const due = JSON.stringify([state.status, state.phase, state.total, Object.entries(state.counts).toSorted()])
  return told === due ? [] : [broken(`The summary after record ${state.seq} says ${told}, the journal ${due}.`)]
}

// -----------------------------------------------------------------------------
// dead letters
// -----------------------------------------------------------------------------

/** A dead letter as the journal has it. */
interface Due {
  readonly itemId: ItemId
  readonly index: number
  status: DeadLetter["status"]
  /** The failures, those before each retry of the letter apart. */
  readonly history: Array<Array<string>>
  /** The record that changed it last. */
  seq: number
}

const attemptKey = (attempt: number, agentId: string): string => `${attempt} of ${agentId}`

const lettersDue = ({ entries }: JobEvidence): ReadonlyMap<number, Due> => {
  const trails = new Map<number, Array<string>>()
  const letters = new Map<number, Due>()
  const change = (index: number, status: DeadLetter["status"], seq: number) => {
    const letter = letters.get(index)
    if (letter !== undefined) Object.assign(letter, { status, seq })
  }
  for (const { record, seq } of entries) {
    switch (record.type) {
      case "item_failed": {
        if (record.disposition === "put_back") break
        const { index, item_id: itemId } = record
        const trail = [...(trails.get(index) ?? []), attemptKey(record.attempt, record.agent_id)]
        if (record.disposition === "retry") trails.set(index, trail)
        else {
          trails.delete(index)
          if (record.disposition === "skip" && !letters.has(index)) break
          const letter = letters.get(index) ?? { itemId, index, status: "failed", history: [[]], seq }
          letter.history.at(-1)?.push(...trail)
          letters.set(index, letter)
          change(index, "failed", seq)
        }
        break
      }
      case "items_requeued":
        for (const index of record.indexes) {
          letters.get(index)?.history.push([])
          change(index, "retrying", seq)
        }
        break
      case "item_completed":
        if (record.tip === null) change(record.index, "resolved", seq)
        break
      case "item_merged":
        change(record.index, "resolved", seq)
        break
      case "job_cancelled":
        for (const { index, status } of letters.values()) if (status === "retrying") change(index, "failed", seq)
        break
    }
  }
  return letters
}

/** Every item that failed for good has one letter, with every failure of it; no other item has one. */
const lettersTellTheFailures: Check = (evidence) => {
  const { events, files, letters, summary } = evidence
  if (files.journal.status === "damaged") return []
  const due = lettersDue(evidence)
  const wereRemoved = events?.told.some(({ event_type }) => event_type === "dlq_items_evicted") ?? false
  const found = new Map(letters.map((letter) => [letter.item_index, letter]))
  const invented = letters.flatMap(({ item_id, item_index }) =>
    due.get(item_index)?.itemId === item_id
      ? []
      : [broken(`Item ${item_id} never failed for good and has a dead letter.`)]
  )
  const wrong = [...due.values()].flatMap(({ history, index, itemId, seq, status }) => {
    const letter = found.get(index)
    // The summary is written after what its records stand for.
    const lag = (detail: string, byHand: boolean) =>
      seq > (summary?.seq ?? 0) ? [behind(evidence, detail)] : byHand && wereRemoved ? [] : [broken(detail, byHand)]
    if (letter === undefined) return lag(`Item ${itemId} failed for good and has no dead letter.`, true)
    const keys = letter.failure_history.map((failed) => attemptKey(failed.attempt_number, failed.agent_id))
    const all = history.flat()
    if (!keys.every((key) => all.includes(key)) || new Set(keys).size !== keys.length) {
      return [broken(`The dead letter of ${itemId} has failures ${keys.join(", ")}; the journal ${all.join(", ")}.`)]
    }
    if (letter.failure_count !== keys.length)
      return [broken(`The dead letter of ${itemId} does not count its failures.`)]
    if (letter.status === "resolved" && status !== "resolved") {
      return [broken(`The dead letter of ${itemId} is resolved, and its item is not done.`)]
    }
    if (letter.status !== status)
      return lag(`The dead letter of ${itemId} is ${letter.status} and not ${status}.`, false)
    if (keys.join() === all.join()) return []
    // One that was removed before it was tried again begins anew.
    const sinceRetry = history.some((_, from) => history.slice(from).flat().join() === keys.join())
    return lag(`The dead letter of ${itemId} has failures ${keys.join(", ")} of ${all.join(", ")}.`, sinceRetry)
  })
  return [...invented, ...wrong]
}

const sameSummary = Schema.equivalence(DeadLetterSummary.DeadLetterSummary)

/** The index says of no letter what that does not say. */
const indexTellsTheLetters: Check = ({ index, isDriven, letters }) => {
  if (isDriven) return []
  const found = new Map(letters.map((letter) => [letter.item_id, DeadLetterSummary.fromLetter(letter)]))
  return [...index].flatMap(([itemId, summary]) => {
    if (summary === null) return []
    const letter = found.get(itemId)
    if (letter === undefined) return [broken(`The index of dead letters tells of item ${itemId}, which has none.`)]
    return sameSummary(summary, letter)
      ? []
      : [broken(`The index of dead letters does not say what that of ${itemId} says.`)]
  })
}

/** Every branch and rescue ref that a letter names is there, or its work is in the session's branch. */
const keptWorkIsThere: Check = ({ git, isDriven, letters }) =>
  git === null
    ? []
    : letters.flatMap(({ item_id, status, worktree_artifacts: { branch_name, tip, uncommitted_changes } }) => {
        // The attempt that is under way may have merged it by now.
        if (status === "resolved" || (status === "retrying" && isDriven)) return []
        const isMerged = tip !== undefined && git.commits.has(tip)
        const refs = [
          branch_name === undefined || isMerged ? [] : RefName.ofBranch(branch_name),
          uncommitted_changes ?? []
        ]
        return refs
          .flat()
          .filter((ref) => !git.refs.has(ref))
          .map((ref) => broken(`The dead letter of ${item_id} names ${ref}, which is not there.`, true))
      })

// -----------------------------------------------------------------------------
// git
// -----------------------------------------------------------------------------

/** Every merge is recorded, before it is made and after, and made once; every one that is recorded is there. */
const mergesAreRecorded: Check = (evidence) => {
  const { entries, files, git, isDriven } = evidence
  if (git === null || files.journal.status === "damaged") return []
  const started = new Map<string, number>()
  const recorded = new Map<string, string | null>()
  for (const { record } of entries) {
    if (record.type === "merge_started") started.set(record.item_id, record.index)
    if (record.type === "item_merged") recorded.set(record.item_id, record.commit)
  }
  const seen = new Set<string>()
  const made = git.merges.flatMap(({ itemId }) => {
    const index = started.get(itemId)
    if (index === undefined) return [broken(`Item ${itemId} was merged, and no record says that it is to be.`)]
    if (seen.has(itemId)) return [broken(`Item ${itemId} was merged twice.`)]
    seen.add(itemId)
    const is = itemAt(files.state, index)?.is
    if (is === "merged") return []
    const detail = `Item ${itemId} was merged, and the journal has it ${is}.`
    return [is === "merging" || is === "completed" ? behind(evidence, detail) : broken(detail)]
  })
  const isRewritable = files.state.phase !== "map"
  const lost = isDriven
    ? []
    : [...recorded].flatMap(([itemId, commit]) =>
        commit === null || git.commits.has(commit)
          ? []
          : [
              broken(
                `Item ${itemId} is merged by ${commit}, which neither the session's branch nor its target has.`,
                isRewritable
              )
            ]
      )
  return [...made, ...lost]
}

/** Nobody drives the job: its agents' worktrees are gone, and the branches that were merged. */
const agentsAreGone: Check = ({ entries, git, isDriven }) => {
  if (git === null || isDriven) return []
  const worktrees = git.hasAgentWorktrees ? [violation("left", "Worktrees of its agents are left.")] : []
  const branches = entries.flatMap(({ record }) => {
    if (record.type !== "item_completed" || record.branch === null) return []
    const ref = RefName.ofBranch(record.branch)
    // That of an attempt whose merge conflicted stays, whatever a later attempt came to.
    const isMerged = record.tip !== null && git.commits.has(record.tip) && git.refs.get(ref) === record.tip
    return isMerged ? [violation("left", `Branch ${record.branch} is merged and left.`)] : []
  })
  return [...worktrees, ...branches]
}

/** Nobody drives the job: nobody's lock is left, nor a temporary file. */
const nothingIsLeft: Check = ({ isDriven, leftBehind }) =>
  isDriven ? [] : leftBehind.map((path) => violation("left", `${path} is left.`))

// -----------------------------------------------------------------------------
// events
// -----------------------------------------------------------------------------

/** The outcomes of a record, as the events that tell of them are known by. */
const outcomesOf = (record: JobRecord): ReadonlyArray<string> => {
  switch (record.type) {
    case "item_completed":
      return [`agent_completed ${record.item_id} ${record.attempt}`]
    case "item_failed": {
      const failed = `agent_failed ${record.item_id} ${record.attempt}`
      const added = `dlq_item_added ${record.item_id} ${record.attempt}`
      return record.disposition === "dead_letter" ? [failed, added] : [failed]
    }
    case "item_merged":
      return record.commit === null ? [] : [`worktree_merged ${record.item_id}`]
    default:
      return []
  }
}

const outcomeOf = (event: Readonly<Record<string, unknown>> & { readonly event_type: string }): string | null => {
  switch (event.event_type) {
    case "agent_completed":
    case "agent_failed":
      return `${event.event_type} ${event["item_id"]} ${event["attempt"]}`
    case "dlq_item_added":
      return `dlq_item_added ${event["item_id"]} ${event["failure_count"]}`
    case "worktree_merged":
      return `worktree_merged ${event["item_id"]}`
    default:
      return null
  }
}

/** Records with which an owner takes the job up. */
const takesUp: ReadonlySet<JobRecord["type"]> = new Set(["job_started", "job_resumed", "items_requeued"])

/** Events tell of what is in the journal and of nothing else, each once; an owner that was killed left out the last ones. */
const eventsTellTheRecords: Check = ({ entries, events, files, isDriven }) => {
  if (events === null || files.journal.status === "damaged") return []
  const told = events.told.flatMap((event) => outcomeOf(event) ?? [])
  const known = new Set(told)
  const found = []
  if (known.size !== told.length) {
    const twice = told.filter((outcome, index) => told.indexOf(outcome) !== index)
    found.push(broken(`Events tell twice: ${[...new Set(twice)].join(", ")}.`))
  }
  const runs: Array<Array<string>> = [[]]
  for (const { record } of entries) {
    if (takesUp.has(record.type)) runs.push([])
    runs.at(-1)?.push(...outcomesOf(record))
  }
  const due = new Set(runs.flat())
  const invented = told.filter((outcome) => !due.has(outcome))
  if (invented.length > 0) found.push(broken(`Events tell what no record says: ${invented.join(", ")}.`))
  const isCut =
    events.damaged > 0 ||
    events.told[0]?.event_type !== "job_started" ||
    events.told.some(({ event_type }) => event_type === "events_dropped")
  if (isCut) return found
  const isEnded = !isDriven && files.state.status === "completed" && endsWhole({ entries, events: events.told })
  const missing = runs.flatMap((run, index) => {
    const last = isEnded && index === runs.length - 1 ? run.length : run.findLastIndex((outcome) => known.has(outcome))
    return run.slice(0, Math.max(0, last)).filter((outcome) => !known.has(outcome))
  })
  return missing.length === 0 ? found : [...found, broken(`Events leave out: ${missing.join(", ")}.`)]
}

/** Every end of the job is told: then so is what came before the last one. */
const endsWhole = (told: {
  readonly entries: JobEvidence["entries"]
  readonly events: ReadonlyArray<{ readonly event_type: string }>
}): boolean => {
  const ends = told.entries.filter(({ record }) => record.type === "job_completed").length
  return ends > 0 && told.events.filter(({ event_type }) => event_type === "job_completed").length === ends
}

// -----------------------------------------------------------------------------
// all of them
// -----------------------------------------------------------------------------

const invariants = {
  filesAreWhole,
  checkpointsAreFolds,
  sessionIsTheJobs,
  ownerLives,
  sessionTellsTheState,
  summaryTellsTheState,
  lettersTellTheFailures,
  indexTellsTheLetters,
  keptWorkIsThere,
  mergesAreRecorded,
  agentsAreGone,
  nothingIsLeft,
  eventsTellTheRecords
} satisfies Record<string, Check>

/**
 * @since 0.1.0
 * @category models
 */
export type Invariant = keyof typeof invariants

/**
 * All that is not as it must be. After a crash and before the next resume nothing is `broken`; when a resume has come to its end
 * there is none at all.
 *
 * @since 0.1.0
 * @category checking
 */
export const violations = (evidence: JobEvidence): ReadonlyArray<Violation> =>
  Struct.entries(invariants).flatMap(([invariant, check]) => check(evidence).map((found) => ({ invariant, ...found })))
