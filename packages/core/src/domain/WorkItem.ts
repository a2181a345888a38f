/**
 * A work item: one element of a job's input, with the id that it keeps for the life of the job.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A JSON value.
 *
 * @since 0.1.0
 * @category models
 */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/**
 * A JSON value, taken as it is: a struct or a record would be copied key by key, and a key `__proto__` would be lost in
 * the copy. Keys in, keys out.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Json: Schema.Schema<Json> = Schema.declare((value: unknown): value is Json => isJson(value), {
  title: "Json",
  description: "a JSON value",
  // Without a type, `JSONSchema` takes it for a part of a schema and asks for the rest.
  jsonSchema: { type: ["null", "boolean", "number", "string", "array", "object"] },
  arbitrary: () => (fc) => fc.jsonValue().map((value): Json => JSON.parse(JSON.stringify(value)))
})

const isJson = (value: unknown): boolean => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true
  if (typeof value === "number") return Number.isFinite(value)
  if (typeof value !== "object") return false
  return (Array.isArray(value) ? value : Object.values(value)).every(isJson)
}

/**
 * An item id is any text, at most 4 KiB: `item_{index}` or what `map.item_id` selects. It is data, never a path; file
 * names are made from it with `SafeName.encode`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ItemId = Schema.String.pipe(
  Schema.minLength(1),
  Schema.maxLength(4096),
  Schema.brand("@prodigy/core/domain/WorkItem/ItemId")
)

/**
 * @since 0.1.0
 * @category models
 */
export type ItemId = typeof ItemId.Type

/**
 * One line of `work-items.jsonl`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorkItem = Schema.Struct({
  index: Schema.NonNegativeInt.annotations({ description: "0-based place in the job's list" }),
  id: ItemId,
  data: Json.annotations({ description: "the element itself" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface WorkItem extends Schema.Schema.Type<typeof WorkItem> {}
