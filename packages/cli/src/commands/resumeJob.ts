/**
 * `prodigy resume-job`.
 *
 * @since 0.1.0
 */
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import * as Json from "../Render/Json.ts"
import * as ResumeToEnd from "../ResumeToEnd.ts"
import * as flags from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandResumeJob = CommandTree.leaf({
  name: "resume-job",
  summary: "Go on with a MapReduce job, as resume does",
  args: { id: Flag.argument("ID", "A job, its session, the beginning of either, or latest") },
  flags: flags.resume,
  json: JsonOutput.document(Json.MapReduceReport, Json.WorkflowReport),
  examples: [{ line: "prodigy resume-job mapreduce-20260131_080000", does: "go on with that job" }],
  handler: ({ args, flags }) => ResumeToEnd.watch({ ...args, ...flags })
})
