/**
 * Flags and arguments that several checkpoint commands take.
 *
 * @since 0.1.0
 */
import * as Flag from "../../Flag.ts"

/**
 * @since 0.1.0
 * @category flags
 */
export const job = Flag.optionalArgument(
  "ID",
  "A session, a job, the beginning of either, or latest; left out: all of this repository"
)

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
export const force = Flag.on("force", { description: "Also the newest valid one of a job that is not completed" })
