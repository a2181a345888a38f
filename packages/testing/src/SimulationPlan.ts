/**
 * Plans of whole jobs: a workflow, its items, what their agents do, and what befalls the machine meanwhile.
 *
 * A plan is JSON. It is drawn from a seed, and the same seed gives the same plan; `smaller` gives the plans that are a little
 * simpler than it, for whoever looks for the smallest that still fails. `Simulation` runs plans.
 *
 * @since 0.1.0
 */
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import { PCGRandom } from "effect/Utils"

/**
 * What an item's program does once: it changes a file of its own, or one that others change too; it fails, leaving something
 * behind; it never ends; it has no quota left; it changes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export type Deed = "writes" | "conflicts" | "fails" | "hangs" | "quota" | "nothing"

/**
 * An item. After so many failures of its own the deed is that of this place; beyond the last it writes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Item {
  readonly deeds: ReadonlyArray<Deed>
  /** How long its program works. */
  readonly seconds: number
}

/**
 * What befalls one start of the program, at its so manieth call: a power cut, which takes what was not synced or some of it; `kill -9`,
 * which takes nothing; a signal that asks it to end; a disk that refuses some calls from there on; a wall clock that is set forward.
 *
 * @since 0.1.0
 * @category models
 */
export type Trouble = (
  | { readonly kind: "lost" | "chance" | "killed"; readonly bytes: number }
  | { readonly kind: "signal" }
  | { readonly kind: "fault"; readonly code: "ENOSPC" | "EIO" | "EMFILE"; readonly calls: number }
  | { readonly kind: "jump"; readonly seconds: number }
) & {
  /** Which call, from 1. */
  readonly at: number
  /** Counted from the moment when the journal has a record of this kind; null: from the start. */
  readonly after: JobRecord["type"] | null
}

/**
 * One start of the program, and in which order its fibers go on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Start {
  readonly order: "turn" | "chance" | "rank"
  readonly troubles: ReadonlyArray<Trouble>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Plan {
  readonly seed: number
  readonly program: "shell" | "claude"
  /** Whether the program commits by itself. */
  readonly commits: boolean
  readonly commitRequired: boolean
  readonly maxParallel: number
  readonly attempts: number
  readonly onItemFailure: "dlq" | "skip" | "stop"
  readonly maxFailures: number | null
  readonly breaker: boolean
  readonly setup: boolean
  readonly reduceSteps: number
  /** The item that the filter leaves out. */
  readonly without: number | null
  readonly descending: boolean
  readonly waitsForQuota: boolean
  /** Items between two checkpoints of the map phase; null: as many as by default, which are more than there are. */
  readonly checkpointEvery: number | null
  /** The start from which on, counted from 0, somebody cancels the job instead of going on with it; null: nobody does. */
  readonly cancelledAt: number | null
  /** What is done about dead letters when the job is over. */
  readonly afterwards: "nothing" | "dlq retry" | "resume --retry-failed"
  readonly items: ReadonlyArray<Item>
  /** Those after the last are untroubled, in turn. */
  readonly starts: ReadonlyArray<Start>
}

/**
 * The plan of a seed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSeed = (seed: number): Plan => {
  const random = new PCGRandom(seed)
  const below = (n: number) => Math.floor(random.number() * n)
  const often = (share: number) => random.number() < share
  const oneOf = <A>(...choices: ReadonlyArray<A>): A => choices[below(choices.length)]!
  const some = <A>(most: number, make: (index: number) => A) =>
    Array.from({ length: below(most + 1) }, (_, n) => make(n))
  const program = oneOf("shell" as const, "claude" as const)
  const commitRequired = often(0.2)
  const bad: ReadonlyArray<Deed> = [
    "fails",
    "fails",
    "hangs",
    "conflicts",
    ...(program === "claude" ? ["quota" as const] : [])
  ]
  const deed = (): Deed => (often(0.7) ? oneOf(...bad) : oneOf<Deed>("writes", "nothing"))
  const items = Array.from({ length: 1 + below(often(0.3) ? 12 : 6) }, () => ({
    deeds: often(0.5)
      ? [oneOf<Deed>("writes", "conflicts", "nothing")]
      : [...some(3, deed), oneOf<Deed>("writes", "fails", "conflicts")],
    seconds: oneOf(0, 1, below(30), below(200))
  }))
  // A job makes some hundred calls before its first item, and some sixty for each.
  const at = () => (often(0.25) ? 1 + below(200) : 100 + below(150 + 60 * items.length))
  // Then the last item has come to its end; or it begins again.
  const late = () => oneOf<JobRecord["type"]>("map_completed", "reduce_completed", "finished", "items_requeued")
  const moment = () => (often(0.3) ? { at: 1 + below(120), after: late() } : { at: at(), after: null })
  const trouble = (): Trouble => {
    const kind = oneOf(
      "lost" as const,
      "chance" as const,
      "killed" as const,
      "lost" as const,
      "signal" as const,
      "fault" as const
    )
    if (kind === "signal") return { kind, ...moment() }
    if (kind === "fault") return { kind, ...moment(), code: oneOf("ENOSPC", "EIO", "EMFILE"), calls: oneOf(1, 1, 2, 5) }
    return { kind, ...moment(), bytes: often(0.3) ? below(200) : 0 }
  }
  return {
    seed,
    program,
    commits: commitRequired || often(0.3),
    commitRequired,
    maxParallel: 1 + below(4),
    attempts: 1 + below(3),
    onItemFailure: oneOf("dlq", "dlq", "dlq", "skip", "stop"),
    maxFailures: often(0.2) ? 1 + below(3) : null,
    breaker: often(0.25),
    setup: often(0.5),
    reduceSteps: below(3),
    without: often(0.3) ? below(items.length) : null,
    descending: often(0.3),
    waitsForQuota: often(0.7),
    checkpointEvery: often(0.4) ? 1 + below(3) : null,
    cancelledAt: often(0.15) ? 1 + below(3) : null,
    afterwards: oneOf("nothing", "dlq retry", "resume --retry-failed"),
    items,
    starts: some(4, () => ({
      order: oneOf("turn" as const, "chance" as const, "rank" as const),
      troubles: [
        trouble(),
        ...(often(0.2) ? [{ kind: "jump" as const, ...moment(), seconds: oneOf(1, 60, 3600, 86_400) }] : [])
      ]
    }))
  }
}

/**
 * The places of the items that are worked on, in the order in which they are.
 *
 * @since 0.1.0
 * @category getters
 */
export const selected = (plan: Plan): ReadonlyArray<number> => {
  const left = plan.items.map((_, n) => n).filter((n) => n !== plan.without)
  return plan.descending ? left.toReversed() : left
}

/**
 * The deed of an item after so many failures of its own.
 *
 * @since 0.1.0
 * @category getters
 */
export const deedOf = (plan: Plan, n: number, failures: number): Deed => plan.items[n]?.deeds[failures] ?? "writes"

/**
 * The workflow's file.
 *
 * @since 0.1.0
 * @category getters
 */
export const workflowText = (plan: Plan): string =>
  [
    "name: simulated",
    "mode: mapreduce",
    ...(plan.setup ? ["setup:", "  - shell: prepare", "    capture: prepared"] : []),
    ...(plan.checkpointEvery === null ? [] : [`checkpoint: { interval_items: ${plan.checkpointEvery} }`]),
    "map:",
    `  input: { items: [${plan.items.map((_, n) => `{ n: ${n} }`).join(", ")}] }`,
    ...(plan.without === null ? [] : [`  filter: "item.n != ${plan.without}"`]),
    ...(plan.descending ? ['  sort_by: "n DESC"'] : []),
    `  max_parallel: ${plan.maxParallel}`,
    `  retry: { attempts: ${plan.attempts}, initial_delay: 1s }`,
    `  on_item_failure: ${plan.onItemFailure}`,
    ...(plan.maxFailures === null ? [] : [`  max_failures: ${plan.maxFailures}`]),
    ...(plan.breaker
      ? ["  circuit_breaker: { failure_threshold: 2, success_threshold: 1, timeout: 5m, half_open_requests: 1 }"]
      : []),
    "  agent_template:",
    `    - ${plan.program}: ${plan.setup ? "work after ${prepared}" : "work"}`,
    "      timeout: 5m",
    ...(plan.commitRequired ? ["      commit_required: true"] : []),
    ...(plan.reduceSteps === 0 ? [] : ["reduce:"]),
    ...Array.from({ length: plan.reduceSteps }, (_, step) => [
      `  - shell: report ${step}`,
      `    id: report-${step}`,
      '    env: { DONE: "${map.successful}" }'
    ]).flat(),
    ""
  ].join("\n")

/**
 * Plans that are a little simpler: an item, a start, a trouble or a deed less, an option as it is by default. The simplest first.
 *
 * @since 0.1.0
 * @category shrinking
 */
export const smaller = (plan: Plan): ReadonlyArray<Plan> => {
  const without = <A>(list: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
    list.map((_, at) => list.toSpliced(at, 1))
  const each = <A>(list: ReadonlyArray<A>, change: (one: A) => ReadonlyArray<A>) =>
    list.flatMap((one, at) => change(one).map((other) => list.with(at, other)))
  const simple: Partial<Plan> = {
    afterwards: "nothing",
    breaker: false,
    setup: false,
    reduceSteps: 0,
    without: null,
    descending: false,
    maxFailures: null,
    commitRequired: false,
    commits: false,
    onItemFailure: "dlq",
    waitsForQuota: true,
    checkpointEvery: null,
    cancelledAt: null,
    maxParallel: 1,
    attempts: 1
  }
  const options = Object.entries(simple)
    .filter(([name, value]) => Reflect.get(plan, name) !== value)
    .map(([name, value]) => ({ ...plan, [name]: value }))
  return [
    ...(plan.starts.length > 1 ? [{ ...plan, starts: [] }] : []),
    ...without(plan.starts).map((starts) => ({ ...plan, starts })),
    ...(plan.items.length > 1 ? without(plan.items).map((items) => ({ ...plan, items, without: null })) : []),
    ...options,
    ...each(plan.items, (item) => [
      ...without(item.deeds).map((deeds) => ({ ...item, deeds })),
      ...each<Deed>(item.deeds, (deed) => (deed === "writes" ? [] : ["writes"])).map((deeds) => ({ ...item, deeds })),
      ...(item.seconds === 0 ? [] : [{ ...item, seconds: 0 }])
    ]).map((items) => ({ ...plan, items })),
    ...each(plan.starts, (start) => [
      ...without(start.troubles).map((troubles) => ({ ...start, troubles })),
      ...(start.order === "turn" ? [] : [{ ...start, order: "turn" as const }]),
      ...each<Trouble>(start.troubles, (trouble) =>
        trouble.kind === "lost" || trouble.kind === "chance" || trouble.kind === "killed"
          ? [
              ...(trouble.bytes > 0 ? [{ ...trouble, bytes: 0 }] : []),
              ...(trouble.kind === "chance" ? [{ ...trouble, kind: "lost" as const }] : [])
            ]
          : []
      ).map((troubles) => ({ ...start, troubles }))
    ]).map((starts) => ({ ...plan, starts }))
  ]
}
