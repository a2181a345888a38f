/** Checks values against JSON Schemas of the kind that `effect/JSONSchema` writes. A keyword that it does not know is an error. */

type Value = null | boolean | number | string | ReadonlyArray<Value> | { readonly [key: string]: Value }
type JsonSchema = Readonly<Record<string, unknown>>

const annotations = new Set(["$schema", "$comment", "$defs", "$id", "title", "description", "examples", "default"])

/** What is wrong with a value, one line each. */
export const complaints = (root: JsonSchema, value: Value): ReadonlyArray<string> => check(root, root, value, "")

const check = (root: JsonSchema, schema: JsonSchema, value: Value, at: string): ReadonlyArray<string> =>
  Object.entries(schema).flatMap(([keyword, says]) => keywordCheck(root, schema, keyword, says, value, at))

const keywordCheck = (
  root: JsonSchema,
  schema: JsonSchema,
  keyword: string,
  says: unknown,
  value: Value,
  at: string
): ReadonlyArray<string> => {
  const wrong = (what: string) => [`${at === "" ? "/" : at}: ${what}, but is ${JSON.stringify(value).slice(0, 200)}`]
  const must = (holds: boolean) => (holds ? [] : wrong(`${keyword} is ${JSON.stringify(says)}`))
  if (annotations.has(keyword)) return []
  switch (keyword) {
    case "$ref": {
      const name = String(says).replace("#/$defs/", "").replaceAll("~1", "/").replaceAll("~0", "~")
      return check(root, (root["$defs"] as Record<string, JsonSchema>)[name]!, value, at)
    }
    case "type":
      return must([says].flat().some((type) => isOf(String(type), value)))
    case "enum":
      return must((says as ReadonlyArray<Value>).includes(value))
    case "const":
      return must(says === value)
    case "anyOf":
    case "oneOf": {
      const tries = (says as ReadonlyArray<JsonSchema>).map((one) => check(root, one, value, at))
      const fitting = tries.filter((found) => found.length === 0).length
      if (keyword === "anyOf" ? fitting > 0 : fitting === 1) return []
      return wrong(`fits ${fitting} of ${tries.length}: ${tries.map(([first]) => first).join("; ")}`)
    }
    case "allOf":
      return (says as ReadonlyArray<JsonSchema>).flatMap((one) => check(root, one, value, at))
    case "pattern":
      return must(typeof value !== "string" || new RegExp(String(says), "u").test(value))
    case "minLength":
      return must(typeof value !== "string" || [...value].length >= Number(says))
    case "maxLength":
      return must(typeof value !== "string" || [...value].length <= Number(says))
    case "minimum":
      return must(typeof value !== "number" || value >= Number(says))
    case "maximum":
      return must(typeof value !== "number" || value <= Number(says))
    case "exclusiveMinimum":
      return must(typeof value !== "number" || value > Number(says))
    case "exclusiveMaximum":
      return must(typeof value !== "number" || value < Number(says))
    case "minItems":
      return must(!Array.isArray(value) || value.length >= Number(says))
    case "maxItems":
      return must(!Array.isArray(value) || value.length <= Number(says))
    case "items":
      if (!Array.isArray(value)) return []
      return Array.isArray(says)
        ? says.flatMap((one: JsonSchema, index) => check(root, one, value[index] ?? null, `${at}/${index}`))
        : value.flatMap((one: Value, index) => check(root, says as JsonSchema, one, `${at}/${index}`))
    case "additionalItems": {
      const named = Array.isArray(schema["items"]) ? schema["items"].length : Number.POSITIVE_INFINITY
      return must(says !== false || !Array.isArray(value) || value.length <= named)
    }
    case "required":
      return isObject(value)
        ? (says as ReadonlyArray<string>).filter((key) => !(key in value)).flatMap((key) => wrong(`${key} is required`))
        : []
    case "properties":
      return isObject(value)
        ? Object.entries(says as Record<string, JsonSchema>).flatMap(([key, one]) =>
            Object.hasOwn(value, key) ? check(root, one, value[key]!, `${at}/${key}`) : []
          )
        : []
    case "patternProperties":
      return isObject(value)
        ? Object.entries(says as Record<string, JsonSchema>).flatMap(([pattern, one]) =>
            Object.entries(value).flatMap(([key, member]) =>
              new RegExp(pattern, "u").test(key) ? check(root, one, member, `${at}/${key}`) : []
            )
          )
        : []
    case "additionalProperties": {
      if (!isObject(value)) return []
      const patterns = Object.keys((schema["patternProperties"] ?? {}) as object).map((text) => new RegExp(text, "u"))
      const extra = Object.entries(value).filter(
        ([key]) =>
          !Object.hasOwn((schema["properties"] ?? {}) as object, key) && !patterns.some((pattern) => pattern.test(key))
      )
      if (typeof says === "boolean") return says ? [] : extra.flatMap(([key]) => wrong(`${key} is not in the schema`))
      return extra.flatMap(([key, member]) => check(root, says as JsonSchema, member, `${at}/${key}`))
    }
    default:
      throw new Error(`JsonSchemaCheck does not know the keyword ${keyword}.`)
  }
}

const isObject = (value: Value): value is { readonly [key: string]: Value } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isOf = (type: string, value: Value): boolean => {
  switch (type) {
    case "null":
      return value === null
    case "array":
      return Array.isArray(value)
    case "object":
      return isObject(value)
    case "integer":
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}
