/**
 * `prodigy sessions`.
 *
 * @since 0.1.0
 */
import type * as Path from "@effect/platform/Path"
import type { Cancel } from "@prodigy/core/engine/Cancel"
import type { Inspect } from "@prodigy/core/engine/Inspect"
import type { SessionClean } from "@prodigy/core/engine/SessionClean"
import * as CommandTree from "../CommandTree.ts"
import { commandSessionsCancel } from "./sessions/cancel.ts"
import { commandSessionsClean } from "./sessions/clean.ts"
import { commandSessionsList } from "./sessions/list.ts"
import { commandSessionsShow } from "./sessions/show.ts"
import type { CommandError } from "../ExitCode.ts"
import type { Screen } from "../Screen.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandSessions = CommandTree.group<CommandError, Cancel | Inspect | Path.Path | Screen | SessionClean>({
  name: "sessions",
  summary: "Look at sessions, the runs of workflows, end and remove them",
  examples: [...commandSessionsList.examples, ...commandSessionsShow.examples, ...commandSessionsCancel.examples],
  children: [commandSessionsList, commandSessionsShow, commandSessionsCancel, commandSessionsClean]
})
