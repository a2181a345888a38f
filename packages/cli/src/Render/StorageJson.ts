/**
 * What `--json` of the commands about the storage as a whole prints.
 *
 * @since 0.1.0
 */
import * as Doctor from "@prodigy/core/engine/Doctor"
import * as StorageReport from "@prodigy/core/engine/StorageReport"
import * as Schema from "effect/Schema"

/**
 * `storage --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StorageSizes = Schema.parseJson(StorageReport.Report)

/**
 * `doctor --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Diagnosis = Schema.parseJson(Doctor.Diagnosis)
