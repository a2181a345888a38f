/**
 * The name under which a repository's data is kept.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { SafeName } from "./SafeName.ts"

/**
 * The last component of the repository's canonical path, or that and a digest when another repository holds the name.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RepoName = SafeName.pipe(Schema.brand("@prodigy/core/domain/RepoName"))

/**
 * @since 0.1.0
 * @category models
 */
export type RepoName = typeof RepoName.Type
