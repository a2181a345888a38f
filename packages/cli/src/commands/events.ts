/**
 * `prodigy events`.
 *
 * @since 0.1.0
 */
import * as CommandTree from "../CommandTree.ts"
import { commandEventsList } from "./events/list.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEvents = CommandTree.group({
  name: "events",
  summary: "Look at the events of a job",
  examples: commandEventsList.examples,
  children: [commandEventsList]
})
