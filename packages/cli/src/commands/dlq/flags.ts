/**
 * Flags that several dlq commands take.
 *
 * @since 0.1.0
 */
import * as Flag from "../../Flag.ts"

/**
 * @since 0.1.0
 * @category flags
 */
export const jobId = Flag.value("job-id", {
  value: "ID",
  description: "A job other than the latest with dead letters",
  read: Flag.text,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category flags
 */
export const dryRun = Flag.on("dry-run", { description: "Show what would be removed, and remove nothing" })

/**
 * @since 0.1.0
 * @category flags
 */
export const yes = Flag.on("yes", { alias: "y", description: "Remove without asking" })

/**
 * @since 0.1.0
 * @category flags
 */
export const force = Flag.on("force", { description: "Overwrite the file if it exists" })
