/**
 * `prodigy events`.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { EventRetention } from "@prodigy/core/engine/EventRetention"
import type { Events } from "@prodigy/core/engine/Events"
import * as CommandTree from "../CommandTree.ts"
import { commandEventsClean } from "./events/clean.ts"
import { commandEventsExport } from "./events/export.ts"
import { commandEventsFollow } from "./events/follow.ts"
import { commandEventsList } from "./events/list.ts"
import { commandEventsSearch } from "./events/search.ts"
import { commandEventsStats } from "./events/stats.ts"
import type { CommandError } from "../ExitCode.ts"
import type { Screen } from "../Screen.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEvents = CommandTree.group<
  CommandError,
  EventRetention | Events | FileSystem.FileSystem | Path.Path | Screen
>({
  name: "events",
  summary: "Look at the events of a job",
  examples: [...commandEventsList.examples, ...commandEventsFollow.examples],
  children: [
    commandEventsList,
    commandEventsStats,
    commandEventsSearch,
    commandEventsFollow,
    commandEventsExport,
    commandEventsClean
  ]
})
