/**
 * A YAML text as a tree that is safe to walk, with what was found wrong on the way.
 *
 * Owns YAML 1.2 itself: syntax, one document, duplicate keys, anchors and aliases with their bounds, nesting. Does not
 * own what the tree means; `YamlCursor` reads that.
 *
 * @since 0.1.0
 */
import * as Yaml from "yaml"
import * as CodeFrame from "./CodeFrame.ts"

/**
 * Something to say about a stretch of the text. Offsets are UTF-16 units.
 *
 * @since 0.1.0
 * @category models
 */
export interface Finding {
  readonly severity: "error" | "warning"
  readonly start: number
  readonly end: number
  readonly message: string
  readonly hint: string | null
}

/**
 * The text, its tree, and the findings that its readers add to. `root` is null when there is no tree to read, which is
 * then among the findings.
 *
 * @since 0.1.0
 * @category models
 */
export interface YamlSource {
  readonly source: CodeFrame.SourceText
  readonly root: Yaml.ParsedNode | null
  readonly targets: ReadonlyMap<Yaml.Alias, Yaml.ParsedNode>
  readonly findings: Array<Finding>
}

/**
 * Largest text read, also with every alias written out: 5 MiB.
 *
 * @since 0.1.0
 * @category models
 */
export const bytesMax = 5 * 1024 * 1024

/**
 * Deepest nesting of lists and mappings.
 *
 * @since 0.1.0
 * @category models
 */
export const depthMax = 100

/**
 * Reads a text. Total: what is wrong is among the findings.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): YamlSource => {
  const source = CodeFrame.sourceText(text)
  const refuse = (findings: Array<Finding>): YamlSource => ({ source, root: null, targets: new Map(), findings })
  if (text.length > bytesMax || new TextEncoder().encode(text).length > bytesMax) {
    return refuse([error(0, 0, "the file is larger than 5 MiB", "keep work items in a file of their own")])
  }
  const control = controls.exec(text)
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")
    return refuse([error(control.index, control.index + 1, `the file contains a control character (U+${code})`)])
  }
  const document = Yaml.parseDocument(text, {
    version: "1.2",
    schema: "core",
    resolveKnownTags: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "error"
  })
  if (document.errors.length > 0) return refuse(syntaxFindings(document))
  if (document.contents === null || (Yaml.isScalar(document.contents) && document.contents.value === null)) {
    return refuse([error(0, 0, "the file is empty", "a workflow needs `map` with `input` and `agent_template`")])
  }
  const walk = new Walk(source)
  walk.visit(document.contents, 0)
  return { source, root: walk.broken ? null : document.contents, targets: walk.targets, findings: walk.findings }
}

/**
 * The text of a key, or null for a key that is not plain text (a list, a number, nothing).
 *
 * @since 0.1.0
 * @category accessors
 */
export const keyText = (key: unknown): string | null =>
  Yaml.isScalar(key) && typeof key.value === "string" ? key.value : null

/**
 * Quotes a piece of somebody's text for a one-line message: shortened, without control characters.
 *
 * @since 0.1.0
 * @category rendering
 */
export const quoted = (text: string): string => {
  const chars = Array.from(text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, " "))
  return `\`${chars.length > 40 ? `${chars.slice(0, 39).join("")}\u2026` : chars.join("")}\``
}

// oxlint-disable-next-line no-control-regex -- what YAML does not allow is exactly these
const controls = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]/

const error = (start: number, end: number, message: string, hint: string | null = null): Finding => ({
  severity: "error",
  start,
  end,
  message,
  hint
})

const deep = (offset: number): Finding =>
  error(offset, offset + 1, `lists and mappings are nested more than ${depthMax} deep`)

interface Extent {
  readonly size: number
  readonly height: number
}

interface Anchor {
  readonly node: Yaml.ParsedNode
  /** Null until the walk has left the node. */
  extent: Extent | null
}

const nothing: Extent = { size: 0, height: 0 }

/**
 * One walk over the tree in the order of the text: anchors are known before their aliases.
 */
class Walk {
  readonly targets = new Map<Yaml.Alias, Yaml.ParsedNode>()
  readonly findings: Array<Finding> = []
  /** Whether the tree must not be read. */
  broken = false
  readonly #source: CodeFrame.SourceText
  readonly #anchors = new Map<string, Anchor>()
  #expanded = 0

  constructor(source: CodeFrame.SourceText) {
    this.#source = source
  }

  /** How large and how high a node is with its aliases written out. */
  visit(node: unknown, depth: number): Extent {
    if (this.broken || !Yaml.isNode(node)) return nothing
    if (Yaml.isAlias(node)) return this.#alias(node, depth)
    const [start, end] = rangeOf(node)
    if (depth > depthMax) return this.#stop(deep(start))
    const anchor: Anchor = { node: node as Yaml.ParsedNode, extent: null }
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, anchor)
    const extent = Yaml.isScalar(node)
      ? { size: 1 + end - start, height: 0 }
      : Yaml.isSeq(node)
        ? this.#children(node.items, depth)
        : this.#map(node, depth)
    anchor.extent = extent
    return extent
  }

  #children(nodes: ReadonlyArray<unknown>, depth: number): Extent {
    let size = 1
    let height = 0
    for (const node of nodes) {
      const child = this.visit(node, depth + 1)
      size += child.size
      height = Math.max(height, child.height + 1)
    }
    return { size, height }
  }

  #map(map: Yaml.YAMLMap, depth: number): Extent {
    const seen = new Map<unknown, number>()
    for (const { key } of map.items) {
      if (!Yaml.isScalar(key)) continue
      const [start, end] = rangeOf(key)
      const before = seen.get(key.value)
      if (before === undefined) {
        seen.set(key.value, start)
        continue
      }
      const line = CodeFrame.line(this.#source, before)
      const name = quoted(String(key.value))
      this.findings.push(error(start, end, `${name} is given twice, first in line ${line}`, "keep one of them"))
    }
    return this.#children(
      map.items.flatMap((pair) => [pair.key, pair.value]),
      depth
    )
  }

  #alias(alias: Yaml.Alias, depth: number): Extent {
    const [start, end] = rangeOf(alias)
    const anchor = this.#anchors.get(alias.source)
    if (anchor === undefined) {
      return this.#stop(error(start, end, `nothing before this line is anchored as ${quoted(`&${alias.source}`)}`))
    }
    if (anchor.extent === null) {
      return this.#stop(error(start, end, `${quoted(`*${alias.source}`)} contains itself`))
    }
    if (depth + anchor.extent.height > depthMax) return this.#stop(deep(start))
    this.targets.set(alias, anchor.node)
    this.#expanded += anchor.extent.size
    if (this.#expanded <= bytesMax) return anchor.extent
    return this.#stop(error(start, end, "the aliases of this file expand to more than 5 MiB"))
  }

  #stop(finding: Finding): Extent {
    this.broken = true
    this.findings.push(finding)
    return nothing
  }
}

/**
 * Where a node stands in the text.
 *
 * @since 0.1.0
 * @category accessors
 */
export const rangeOf = (node: Yaml.Node): readonly [start: number, end: number] =>
  node.range === null || node.range === undefined ? [0, 0] : [node.range[0], node.range[1]]

const syntaxFindings = (document: Yaml.Document.Parsed): Array<Finding> => {
  const out = new Map<number, Finding>()
  for (const problem of document.errors) {
    if (problem.code === "RESOURCE_EXHAUSTION") return [deep(problem.pos[0])]
    const start = problem.message.startsWith("Missing closing") ? opening(document, problem.pos[0]) : problem.pos[0]
    if (out.has(start)) continue
    const { hint, message } = explain(problem)
    out.set(start, error(start, Math.max(start + 1, problem.pos[1]), message, hint))
  }
  return Array.from(out.values())
}

// YAML notices a missing quote where the file ends; the author looks for where it was opened.
const opening = (document: Yaml.Document.Parsed, offset: number): number => {
  let found = offset
  Yaml.visit(document, {
    Scalar: (_, node) => {
      const [start, end] = rangeOf(node)
      if ((node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE") && start <= offset && offset <= end)
        found = start
    }
  })
  return found
}

const explain = (problem: Yaml.YAMLError): { readonly message: string; readonly hint: string | null } => {
  const said = `YAML: ${problem.message.split("\n")[0] ?? ""}`.replace(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, " ").slice(0, 200)
  switch (problem.code) {
    case "TAB_AS_INDENT":
      return { message: "YAML: a tab cannot indent a line", hint: "use spaces" }
    case "BLOCK_AS_IMPLICIT_KEY":
      return {
        message: "YAML: a mapping cannot start in the middle of a value",
        hint: "put quotes around a text that contains `: `, or check the indentation of the next lines"
      }
    case "MULTIPLE_DOCS":
      return { message: "YAML: a workflow file holds one document", hint: "remove what follows this `---`" }
    case "BAD_SCALAR_START":
      return { message: said, hint: "put quotes around the text" }
    case "BAD_DQ_ESCAPE":
      return { message: said, hint: "double the backslash, or use single quotes" }
    case "BAD_INDENT":
      return { message: said, hint: "check the indentation of this line" }
    case "MISSING_CHAR":
      return {
        message: said,
        hint: problem.message.startsWith("Implicit map keys") ? "is a `:` missing after the key?" : null
      }
    default:
      return { message: said, hint: null }
  }
}
