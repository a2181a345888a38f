/**
 * `prodigy resume`.
 *
 * @since 0.1.0
 */
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import * as Json from "../Render/Json.ts"
import * as ResumeToEnd from "../ResumeToEnd.ts"
import * as flags from "./flags.ts"

const id = Flag.optionalArgument(
  "ID",
  "A session, a job, the beginning of either, or latest; left out: the only one there is"
)

/**
 * @since 0.1.0
 * @category commands
 */
export const commandResume = CommandTree.leaf({
  name: "resume",
  summary: "Go on with what was interrupted, stopped or failed",
  args: { id },
  flags: flags.resume,
  json: JsonOutput.document(Json.MapReduceReport, Json.WorkflowReport),
  examples: [
    { line: "prodigy resume", does: "go on with the only one, or list those that can be resumed" },
    { line: "prodigy resume latest -y", does: "go on with this repository's latest, and merge without asking" }
  ],
  handler: ({ args, flags }) => ResumeToEnd.watch({ ...args, ...flags })
})
