/** 50 processes race for one stale lock, 200 rounds: exactly one winner each time, or it fails. `npm run race [PROCESSES ROUNDS]` */
import { race } from "../packages/core/test/storage/LockRace.ts"

const [rivals = 50, rounds = 200] = process.argv.slice(2).map(Number)
const started = performance.now()
const { wins } = await race({ rivals, rounds, say: (line) => console.log(line) })
const seconds = ((performance.now() - started) / 1000).toFixed(0)
console.log(
  `${rounds} rounds of ${rivals} processes in ${seconds} s: exactly one winner each, ${wins.size} different ones.`
)
