/**
 * The agent worktrees of a session: as many as run at once, used for one item after another.
 *
 * Owns who holds which slot, that there never are more than `maxParallel`, and their records. `Slot` owns what is in
 * them. A slot whose work could not be kept is never cleaned: it is left where it is, listed as an orphan, and its place
 * is taken by a new one.
 *
 * Crash guarantee: what a dead process left in its slots is rescued by `reap` before anything else happens to them.
 *
 * @since 0.1.0
 */
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Kept } from "../domain/DeadLetter.ts"
import * as AgentId from "../domain/AgentId.ts"
import type { JobId } from "../domain/JobId.ts"
import { ItemId } from "../domain/WorkItem.ts"
import type { RepoPaths } from "../storage/ProdigyHome.ts"
import * as Leftovers from "./Leftovers.ts"
import * as RefName from "./RefName.ts"
import type { Repository, RepositoryError } from "./Repository.ts"
import * as Slot from "./Slot.ts"
import { type AgentWork, type Checkout, type Collected, type Orphan, WorkspaceError } from "./Workspace.ts"
import * as Worktree from "./Worktree.ts"
import * as WorktreeRecord from "./WorktreeRecord.ts"

/**
 * What can go wrong when an agent's worktree is used.
 *
 * @since 0.1.0
 * @category errors
 */
export type PoolError = RepositoryError | WorkspaceError

/**
 * @since 0.1.0
 * @category models
 */
export interface WorktreePool {
  /** See `SessionWorkspace.acquire`. */
  readonly acquire: (work: AgentWork) => Effect.Effect<Checkout, PoolError>
  readonly collect: (
    checkout: Checkout,
    work: AgentWork,
    options: { readonly autoCommit: boolean }
  ) => Effect.Effect<Collected, PoolError>
  readonly rescue: (checkout: Checkout, work: AgentWork) => Effect.Effect<Kept, PoolError>
  readonly release: (checkout: Checkout) => Effect.Effect<void>
  /** The worktree of a checkout that was handed out. */
  readonly worktree: (checkout: Checkout) => Worktree.Worktree | undefined
  /** The base of a tip that is our own commit straight on top of it, made in this process and not merged yet. */
  readonly baseOf: (tip: string) => string | undefined
  readonly forget: (tip: string) => void
  /** Removes all slots. Those still held are rescued first. */
  readonly close: Effect.Effect<{ readonly removed: ReadonlyArray<string>; readonly orphans: ReadonlyArray<Orphan> }>
}

interface Held {
  readonly slot: Slot.Slot
  readonly name: string
  readonly checkout: Checkout
  readonly work: AgentWork
  /** What the attempt made; null when that is nothing, or it was not collected. */
  tip: string | null
  /** True once a rescue has failed: the files are the only place where the work is. */
  precious: boolean
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

interface Idle {
  readonly name: string
  /** Null when it cannot be used as it is: something of it may be on disk. */
  readonly ready: Fiber.Fiber<Ready | null>
}

interface Ready {
  readonly slot: Slot.Slot
  /** The tree that its files were brought to; null when they are as an item left them. */
  readonly tree: string | null
}

/**
 * Opens the pool of a job. Slots are made when they are first needed, but the first one of a new session: that is made
 * at once, with the files of `first`, beside whatever the job begins with.
 *
 * `parentOpened` succeeds once the session's branch is there; what dead processes left is rescued only then.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("WorktreePool.make")(function* <E>(options: {
  readonly repository: Repository
  readonly jobId: JobId
  readonly paths: RepoPaths
  readonly parentBranch: string
  readonly parentOpened: Effect.Effect<unknown, E>
  readonly maxParallel: number
  readonly first: string | null
}): Effect.fn.Return<WorktreePool, PoolError | E, FileSystem.FileSystem | Scope.Scope> {
  const { jobId, paths, repository } = options
  const fs = yield* FileSystem.FileSystem
  const scope = yield* Effect.scope
  const permits = yield* Effect.makeSemaphore(options.maxParallel)
  const provide = Effect.provideService(FileSystem.FileSystem, fs)

  const idle: Array<Idle> = []
  const held = new Map<string, Held>()
  const bases = new Map<string, string>()
  const parentRef = RefName.ofBranch(options.parentBranch)
  const orphans: Array<Orphan> = []
  const reaped = yield* reap(options)
  orphans.push(...reaped.orphans)
  const taken = new Set(reaped.orphans.map((orphan) => orphan.path))
  const numbers = Array.from({ length: options.maxParallel + taken.size }, (_, index) => index).filter(
    (number) => !taken.has(paths.worktree(slotName(jobId, number)))
  )
  let numberMax = options.maxParallel + taken.size

  const orphan = (entry: Held, error: string) => {
    orphans.push({ path: entry.checkout.path, agentId: entry.work.agentId, itemId: entry.work.itemId, error })
  }

  /** The branch's name may be taken: by an attempt whose start was not recorded before a crash. */
  const freeBranch = Effect.fnUntraced(function* (work: AgentWork, branch: string, old: string, tip: string) {
    if (yield* Leftovers.isAncestor(repository, old, tip)) return
    yield* repository.updateRefs([
      { ref: RefName.displaced(jobId, work.itemId, work.attempt, old), to: old },
      { ref: RefName.ofBranch(branch), to: null, from: old }
    ])
  })

  const newName = () => slotName(jobId, numbers.shift() ?? numberMax++)
  const newSlot = (name: string, commit: string) =>
    Slot.make(repository, { worktree: paths.worktree(name), index: indexPath(paths, name) }, commit)

  /** Filling a worktree takes seconds when there are many files, so interruption ends it: see `Slot`. */
  const slotFor = (branch: string, tip: string, restore: Restore) =>
    Effect.suspend(() => {
      const free = idle.pop()
      const name = free?.name ?? newName()
      const filled = Effect.gen(function* () {
        if (free !== undefined) {
          const found = yield* Fiber.join(free.ready)
          const [tree] = yield* repository.resolve(`${tip}^{tree}`)
          if (found !== null) {
            const next = { branch, tip, ready: tree !== null && found.tree === tree }
            if (yield* Slot.reuse(repository, found.slot, next)) return { slot: found.slot, name }
          }
          yield* Effect.logDebug(`${paths.worktree(name)} could not be reset and is made anew.`)
        }
        const slot = yield* newSlot(name, tip)
        yield* Slot.handOut(repository, slot, branch, tip)
        return { slot, name }
      })
      // The next one to come tries again; the name must not be lost, or the pool would outgrow its size, nor what stands
      // under it: `close` removes that. Nobody may be at work in it by then.
      return Effect.onError(restore(filled), () =>
        Effect.zipRight(
          free === undefined ? Effect.void : Fiber.interrupt(free.ready),
          Effect.sync(() => void idle.push({ name, ready: Fiber.succeed(null) }))
        )
      )
    })

  const record = (name: string, work: AgentWork, checkout: Checkout, status: "running" | "idle" | "kept") =>
    WorktreeRecord.write(paths.worktreeMetadata(name), {
      role: "agent",
      v: 1,
      path: checkout.path,
      branch: checkout.branch,
      base: checkout.base,
      job: jobId,
      status,
      item: work.itemId,
      item_index: work.itemIndex,
      agent: work.agentId,
      attempt: work.attempt
    })

  const take = Effect.fnUntraced(function* (work: AgentWork, restore: Restore) {
    const branch = RefName.agentBranch(work.agentId, work.attempt)
    const [tip, old] = yield* repository.resolve(parentRef, RefName.ofBranch(branch))
    if (tip === null) {
      return yield* new WorkspaceError({
        operation: "hand out an agent worktree",
        reason: "checkout_damaged",
        path: repository.root,
        detail: `the session's branch ${options.parentBranch} is gone`
      })
    }
    if (old !== null) yield* freeBranch(work, branch, old, tip)
    const { name, slot } = yield* slotFor(branch, tip, restore)
    const checkout: Checkout = { path: slot.worktree.path, branch, base: tip }
    held.set(checkout.path, { slot, name, checkout, work, tip: null, precious: false })
    yield* Effect.tapError(record(name, work, checkout, "running"), () =>
      Effect.sync(() => {
        // Nothing was done in it yet. It stays ours, or the pool would outgrow its size.
        held.delete(checkout.path)
        idle.push({ name, ready: Fiber.succeed(null) })
      })
    )
    return checkout
  })

  const acquire = (work: AgentWork) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.zipRight(
        restore(permits.take(1)),
        Effect.onError(provide(take(work, restore)), () => permits.release(1))
      )
    )

  const holding = (checkout: Checkout) =>
    Effect.suspend(() => {
      const entry = held.get(checkout.path)
      return entry !== undefined
        ? Effect.succeed(entry)
        : new WorkspaceError({
            operation: "use an agent worktree",
            reason: "checkout_damaged",
            path: checkout.path,
            detail: "it was given back already"
          })
    })

  const collect: WorktreePool["collect"] = Effect.fnUntraced(function* (checkout, work, how) {
    const entry = yield* holding(checkout)
    const ended = { repository, jobId, worktree: entry.slot.worktree, checkout, work }
    const { ours, ...collected } = yield* provide(Leftovers.collect(ended, how))
    entry.tip = collected.tip
    if (ours && collected.tip !== null) bases.set(collected.tip, checkout.base)
    return collected
  })

  const rescue: WorktreePool["rescue"] = Effect.fnUntraced(function* (checkout, work) {
    const entry = yield* holding(checkout)
    const ended = { repository, jobId, worktree: entry.slot.worktree, checkout, work }
    entry.precious = true
    const kept = yield* provide(Leftovers.rescue(ended))
    entry.precious = false
    return kept
  })

  /**
   * Makes a slot that was given back ready for the next item, while the merge is made: its files are brought to what the
   * session's branch will have then, as far as that can be told.
   */
  const prepare = ({ checkout, slot, tip }: Held) => {
    const brought = Effect.gen(function* () {
      const [parent, parentTree, tree] = yield* repository.resolve(
        parentRef,
        `${parentRef}^{tree}`,
        `${tip ?? parentRef}^{tree}`
      )
      if (tree === null || (parent !== checkout.base && parentTree !== tree)) return null
      yield* Slot.bring(repository, slot, tree)
      return tree
    })
    return Effect.map(Effect.all([Slot.clear(slot), brought], { concurrency: 2 }), ([cleared, tree]) =>
      cleared ? { slot, tree } : null
    )
  }

  const release = (checkout: Checkout) =>
    Effect.uninterruptible(
      Effect.gen(function* () {
        const entry = held.get(checkout.path)
        if (entry === undefined) return
        held.delete(checkout.path)
        // Before anything is changed in it: after a crash, what is idle needs no rescue.
        yield* Effect.catchAll(record(entry.name, entry.work, checkout, entry.precious ? "kept" : "idle"), (error) =>
          Effect.logWarning(`The record of ${checkout.path} is out of date: ${error.message}`)
        )
        if (entry.precious) {
          orphan(entry, "its work could not be kept elsewhere")
        } else {
          // Whatever keeps it from being made ready, a new one is the answer.
          const ready = Effect.interruptible(Effect.orElseSucceed(prepare(entry), () => null))
          idle.push({ name: entry.name, ready: yield* Effect.forkIn(provide(ready), scope) })
        }
        yield* permits.release(1)
      })
    ).pipe(provide)

  const close = Effect.gen(function* () {
    const removed: Array<string> = []
    for (const entry of held.values()) {
      yield* Effect.catchAll(rescue(entry.checkout, entry.work), (error) =>
        Effect.logWarning(`${entry.checkout.path} is left as it is: ${error.message}`)
      )
      yield* release(entry.checkout)
    }
    for (const { name, ready } of idle.splice(0)) {
      const path = paths.worktree(name)
      // It is not needed any more.
      yield* Fiber.interrupt(ready)
      yield* removeSlot(repository, paths, name).pipe(
        Effect.match({
          onSuccess: () => void removed.push(path),
          onFailure: (error) => void orphans.push({ path, agentId: null, itemId: null, error: error.message })
        })
      )
    }
    return { removed, orphans: [...orphans] }
  }).pipe(provide)

  if (options.first !== null) {
    const [name, commit] = [newName(), options.first]
    const made = Effect.zipWith(newSlot(name, commit), repository.resolve(`${commit}^{tree}`), (slot, [tree]) => ({
      slot,
      tree
    }))
    // When it cannot be made, the attempt that needs it says why.
    idle.push({
      name,
      ready: yield* Effect.forkIn(
        Effect.orElseSucceed(made, () => null),
        scope
      )
    })
  }

  return {
    acquire,
    collect,
    rescue,
    release,
    worktree: (checkout) => held.get(checkout.path)?.slot.worktree,
    baseOf: (tip) => bases.get(tip),
    forget: (tip) => void bases.delete(tip),
    close
  }
})

/**
 * Names of the slots of a job of which anything is left: a directory, a record of ours or an entry of git's. A crash may
 * leave any of them without the others.
 *
 * @since 0.1.0
 * @category getters
 */
export const slots = Effect.fnUntraced(function* (
  paths: RepoPaths,
  commonDir: string,
  jobId: JobId
): Effect.fn.Return<ReadonlyArray<string>, PlatformError.PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const prefix = slotName(jobId, 0).slice(0, -1)
  const numbers = new Set<number>()
  // No directory: nothing of the kind.
  const read = (path: string) => Effect.orElseSucceed(fs.readDirectory(path), () => [])
  for (const names of [
    yield* fs.readDirectory(paths.worktrees),
    yield* read(`${paths.worktrees}/.metadata`),
    yield* read(`${commonDir}/worktrees`)
  ]) {
    for (const name of names) {
      const number = name.startsWith(prefix) ? /^\d+(?=$|\.)/.exec(name.slice(prefix.length)) : null
      if (number !== null) numbers.add(Number(number[0]))
    }
  }
  return [...numbers].toSorted((a, b) => a - b).map((number) => slotName(jobId, number))
})

/**
 * What a session without a job answers when it is asked for anything of agents.
 *
 * @since 0.1.0
 * @category errors
 */
export const refusal = (root: string): WorkspaceError =>
  new WorkspaceError({
    operation: "hand out an agent worktree",
    reason: "command_failed",
    path: root,
    detail: "the session has no job, and so no agents"
  })

/**
 * The pool of a session that has no job: it hands nothing out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none = (refuse: WorkspaceError): WorktreePool => {
  return {
    acquire: () => refuse,
    collect: () => refuse,
    rescue: () => refuse,
    release: () => Effect.void,
    worktree: () => undefined,
    baseOf: () => undefined,
    forget: () => {},
    close: Effect.succeed({ removed: [], orphans: [] })
  }
}

/**
 * The directory of a slot of a job.
 *
 * @since 0.1.0
 * @category getters
 */
export const slotName = (jobId: JobId, number: number): string => `mapreduce-agent-${jobId}_${number}`

const indexPath = (paths: RepoPaths, name: string): string => paths.worktreeMetadata(name).replace(/\.json$/, ".index")

/** Removes a slot with its record. */
const removeSlot = Effect.fnUntraced(function* (
  repository: Repository,
  paths: RepoPaths,
  name: string
): Effect.fn.Return<void, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  yield* Worktree.remove(repository, paths.worktree(name))
  const record = paths.worktreeMetadata(name)
  const index = indexPath(paths, name)
  // The record last: as long as it is there, whatever else is left is looked for.
  for (const path of [index, `${index}.lock`, `${record}.tmp`, record]) yield* fs.remove(path, { force: true })
})

/**
 * Rescues and removes the slots that an earlier process of this job left. A slot that cannot be rescued stays, as an
 * orphan.
 */
const reap = Effect.fnUntraced(function* <E>(options: {
  readonly repository: Repository
  readonly jobId: JobId
  readonly paths: RepoPaths
  readonly parentBranch: string
  readonly parentOpened: Effect.Effect<unknown, E>
}): Effect.fn.Return<{ readonly orphans: ReadonlyArray<Orphan> }, RepositoryError | E, FileSystem.FileSystem> {
  const { jobId, paths, repository } = options
  const orphans: Array<Orphan> = []
  const names = yield* slots(paths, repository.commonDir, jobId)
  if (names.length > 0) yield* options.parentOpened
  for (const name of names) {
    const path = paths.worktree(name)
    const record = yield* WorktreeRecord.read(paths.worktreeMetadata(name))
    const work = record?.role === "agent" ? workOf(record) : null
    const worktree = yield* Worktree.registered(repository, path)
    const rescued =
      worktree === null || !(yield* Worktree.isWhole(worktree))
        ? refuseFiles(path)
        : Effect.asVoid(
            rescueUnknown(
              { repository, jobId, worktree },
              record?.role === "agent" ? record : null,
              options.parentBranch
            )
          )
    yield* Effect.zipRight(rescued, removeSlot(repository, paths, name)).pipe(
      Effect.catchAll((error) =>
        Effect.sync(() => {
          orphans.push({ path, agentId: work?.agentId ?? null, itemId: work?.itemId ?? null, error: error.message })
        })
      )
    )
  }
  return { orphans }
})

/** A directory that git has never finished making holds at most its link; anything more is somebody's work. */
const refuseFiles = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<void, RepositoryError | WorkspaceError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const names = (yield* fs.exists(path)) ? yield* fs.readDirectory(path) : []
  if (names.every((name) => name === ".git")) return
  return yield* new WorkspaceError({
    operation: "keep what an agent left",
    reason: "checkout_damaged",
    path,
    detail: "git does not know this worktree any more, so its files cannot be compared with anything"
  })
})

const workOf = (record: WorktreeRecord.AgentRecord): AgentWork => ({
  agentId: record.agent,
  itemId: record.item,
  itemIndex: record.item_index,
  attempt: record.attempt
})

/** The branch that is checked out is right even when the record is of the attempt before. */
const rescueUnknown = Effect.fnUntraced(function* (
  where: { readonly repository: Repository; readonly jobId: JobId; readonly worktree: Worktree.Worktree },
  record: WorktreeRecord.AgentRecord | null,
  parentBranch: string
): Effect.fn.Return<void, RepositoryError, FileSystem.FileSystem> {
  const branch = yield* Worktree.branch(where.worktree)
  const given = record === null || record.status === "idle"
  if (given && branch === null && !(yield* wasHandedOut(where.worktree))) return
  const [head, parentTip] = yield* where.repository.resolve(where.worktree.head, RefName.ofBranch(parentBranch))
  const known = record !== null && record.branch === branch
  // Given back, or its branch is deleted because it is merged or had no commits: nothing is lost with it.
  if (known && (record.status === "idle" || head === null)) return
  const base = known || parentTip === null ? record?.base : parentTip
  if (base === undefined) return yield* Effect.dieMessage(`nothing is known of ${where.worktree.path}`)
  const name = branch ?? `prodigy-rescued-${base.slice(0, 12)}`
  yield* Leftovers.rescue({
    ...where,
    checkout: { path: where.worktree.path, branch: name, base },
    work: record !== null && known ? workOf(record) : strangerOf(name)
  })
})

/** See `Slot`: a new one is put on a branch, and then given its own index, before anybody works in it. */
const wasHandedOut = (worktree: Worktree.Worktree) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.exists(`${worktree.admin}/index`))

/** Stands for the attempt when nothing tells whose work a worktree holds but its branch. */
const strangerOf = (branch: string): AgentWork => ({
  agentId: AgentId.AgentId.make(RefName.component(branch).slice(0, 120).replaceAll("%", "_")),
  itemId: ItemId.make(branch),
  itemIndex: 0,
  attempt: 1
})
