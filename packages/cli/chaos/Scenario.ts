/**
 * What is tortured, and where the kills are aimed.
 *
 * Every step tells the side log that it has begun, with the number of the process that runs it (`CHAOS_RUN`), and may be
 * run again as long as it is not recorded done: it makes the same files with the same content.
 */
import type { Random } from "./Random.ts"

export const names = ["map", "setup", "reduce", "merge", "standard"] as const

export type Name = (typeof names)[number]

/**
 * What becomes of an item. `plain` leaves a file for us to commit, `own` commits by itself, `slow` takes its time, `none`
 * changes nothing; `fail` exits with an error, `conflict` always conflicts with what setup did; of the `rival`s, who all
 * write one file, any number may conflict.
 */
type Kind = "plain" | "own" | "slow" | "none" | "fail" | "conflict" | "rival"

export interface Item {
  readonly id: string
  readonly kind: Kind
}

const kinds: ReadonlyArray<Kind> = [
  "plain",
  "own",
  "fail",
  "plain",
  "none",
  "slow",
  "conflict",
  "plain",
  "rival",
  "plain"
]

export const items = (count: number): ReadonlyArray<Item> =>
  Array.from({ length: count }, (_, index) => ({ id: `i${index}`, kind: kinds[index % kinds.length] ?? "plain" }))

/** The file that an item makes, and what is in it. */
export const fileOf = (item: Item): { readonly path: string; readonly content: string } => ({
  path: `made/${item.id}.txt`,
  content: `made by ${item.id}\n`
})

export const reduceSteps = 3

/** Exit code of a run in which items failed. */
export const exitCode = 3

/** Steps of the standard workflow. */
export const steps = 12

/** The file that a step of the standard workflow makes: it names the process that each step before it ran in. */
export const stepFileOf = (
  step: number,
  runs: ReadonlyArray<number>
): { readonly path: string; readonly content: string } => ({
  path: `step-${step}.txt`,
  content: `${[`step ${step}`, ...runs].join(" ")}\n`
})

/** The standard workflow. Every third step commits by itself; what the others leave is committed at the end. */
export const standard = (side: string): string => `name: chaos
env: { SIDE: ${JSON.stringify(side)} }
commands:
${Array.from(
  { length: steps },
  (_, step) => `  - shell: |
      echo "step:${step} $CHAOS_RUN" >> "$SIDE"
      echo "${[`step ${step}`, ...Array.from({ length: step }, (_, before) => `\${v${before}}`)].join(" ")}" > step-${step}.txt
${step % 3 === 1 ? "      git add --all; git diff --cached --quiet || git commit --quiet --message=own\n" : ""}      echo "$CHAOS_RUN"
    capture: v${step}
`
).join("")}`

/** The job's workflow, with the side log and the items at these paths. */
export const workflow = (side: string, itemsPath: string): string => `name: chaos
mode: mapreduce
env: { SIDE: ${JSON.stringify(side)}, ITEMS: ${JSON.stringify(itemsPath)} }
setup:
  - shell: |
      echo "setup:0 $CHAOS_RUN" >> "$SIDE"
      echo "changed by setup" > shared.txt
      git diff --quiet -- shared.txt || git commit --quiet --message=setup shared.txt
  - shell: |
      echo "setup:1 $CHAOS_RUN" >> "$SIDE"
      cp "$ITEMS" items.json
  - shell: echo v7
    capture: release
map:
  input: items.json
  item_id: id
  max_parallel: 6
  agent_template:
    - shell: |
        echo "item:\${item.id} $CHAOS_RUN" >> "$SIDE"
        kind=\${item.kind}
        if [ "$kind" = conflict ]; then git reset --quiet --hard "$(git rev-list --max-parents=0 HEAD)"; fi
        if [ "$kind" != none ]; then mkdir -p made; echo "made by \${item.id}" > "made/\${item.id}.txt"; fi
        case "$kind" in
          own) git add --all; git commit --quiet --message=own ;;
          slow) sleep 0.1 ;;
          conflict) echo "changed by \${item.id}" > shared.txt ;;
          rival) echo "changed by \${item.id}" > contested.txt ;;
          fail) exit 7 ;;
        esac
reduce:
${Array.from(
  { length: reduceSteps },
  (_, step) => `  - shell: |
      echo "reduce:${step} $CHAOS_RUN" >> "$SIDE"
      echo "step ${step}: \${map.successful} \${release}" > "reduce-${step}.txt"
`
).join("")}`

/**
 * Moment of a kill: `delayMillis` after the process has started, or after it has written so many records of these types,
 * or begun so many steps of the standard workflow; at the latest when `lastMillis` are over.
 */
export interface Aim {
  readonly types: ReadonlyArray<string>
  readonly count: number
  readonly delayMillis: number
  readonly lastMillis: number
}

interface Plan {
  /** Kills in a round at most; then the job is left to end. */
  readonly kills: readonly [low: number, high: number]
  readonly aims: ReadonlyArray<(random: Random) => Aim>
}

const time =
  (low: number, high: number) =>
  (random: Random): Aim => ({ types: [], count: 0, delayMillis: random.between(low, high), lastMillis: high })

const record =
  (types: ReadonlyArray<string>, countMax = 1) =>
  (random: Random): Aim => ({
    types,
    count: random.between(1, countMax),
    delayMillis: random.between(0, 30),
    lastMillis: random.between(1000, 10_000)
  })

/** Between the begin of the last step and the end of the process. */
const lastStep = (random: Random): Aim => ({
  types: [`step:${steps - 1}`],
  count: 1,
  delayMillis: random.between(0, 300),
  lastMillis: 5000
})

const plans: Readonly<Record<Name, Plan>> = {
  map: {
    kills: [5, 9],
    aims: [
      time(300, 3000),
      record(["item_started"], 12),
      record(["item_completed"], 8),
      record(["item_failed"], 3),
      record(["merge_started"], 8),
      record(["item_merged"], 8),
      record(["map_completed"]),
      record(["reduce_completed", "finished", "job_completed"])
    ]
  },
  setup: {
    kills: [3, 6],
    aims: [time(50, 800), record(["job_started"]), record(["setup_completed"]), record(["items_selected"])]
  },
  reduce: {
    kills: [3, 6],
    aims: [
      record(["map_completed"]),
      record(["reduce_step_completed"], reduceSteps),
      record(["reduce_completed"]),
      time(400, 900)
    ]
  },
  standard: {
    kills: [4, 8],
    aims: [time(50, 1500), record(["step"], 3), record(["step"], 3), record(["step"], steps), lastStep]
  },
  merge: {
    kills: [2, 5],
    aims: [record(["reduce_completed"]), record(["finished"]), record(["job_completed"]), time(300, 700)]
  }
}

/** How often a round kills. */
export const kills = (name: Name, random: Random): number => random.between(...plans[name].kills)

/** The next moment to kill at. */
export const aim = (name: Name, random: Random): Aim => {
  const { aims } = plans[name]
  const choose = aims[random.between(0, aims.length - 1)] ?? time(100, 1000)
  return choose(random)
}
