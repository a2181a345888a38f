/**
 * `prodigy sessions`.
 *
 * @since 0.1.0
 */
import * as CommandTree from "../CommandTree.ts"
import { commandSessionsList } from "./sessions/list.ts"
import { commandSessionsShow } from "./sessions/show.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandSessions = CommandTree.group({
  name: "sessions",
  summary: "Look at sessions, the runs of workflows",
  examples: [...commandSessionsList.examples, ...commandSessionsShow.examples],
  children: [commandSessionsList, commandSessionsShow]
})
