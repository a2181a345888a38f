/**
 * From tokens to a tree, by operator precedence.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import { closest, distance } from "fastest-levenshtein"
import { RE2JS } from "re2js"
import type * as Scan from "../Scan.ts"
import * as Lexer from "./Lexer.ts"
import { comparisonCalls, functionNames, type Infix, infixes, literals, Power, valueCalls } from "./Operators.ts"
import type * as Syntax from "./Syntax.ts"

/**
 * Deepest nesting of parentheses, arrays, calls and prefix operators. Bounds the stack of the parser and of evaluation.
 *
 * @since 0.1.0
 * @category constants
 */
export const depthMax = 100

/**
 * Parses a whole text.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): Either.Either<Syntax.Node, Scan.Failure> =>
  Either.gen(function* () {
    const first = yield* Lexer.next(text, 0)
    if (first.kind === "end") {
      return yield* fail(first.offset, "the expression is empty")
    }
    const parser: Parser = { text, token: first, depth: 0 }
    const node = yield* expression(parser, Power.or)
    return isEnd(parser) ? node : yield* trailing(parser)
  })

interface Parser {
  readonly text: string
  token: Lexer.Token
  depth: number
}

type Result<A = Syntax.Node> = Either.Either<A, Scan.Failure>

const fail = (offset: number, detail: string): Result<never> => Either.left({ offset, detail })

const advance = (parser: Parser): Result<void> =>
  Either.map(Lexer.next(parser.text, parser.token.end), (token) => {
    parser.token = token
  })

const textOf = (parser: Parser, token: Lexer.Token): string =>
  token.kind === "end" ? "the end" : parser.text.slice(token.offset, token.end)

const isEnd = (parser: Parser): boolean => parser.token.kind === "end"

const isSymbol = (parser: Parser, text: string): boolean => parser.token.kind === "symbol" && parser.token.text === text

const isWord = (parser: Parser, text: string): boolean => parser.token.kind === "word" && parser.token.text === text

const expectSymbol = (parser: Parser, text: string, why: string): Result<void> =>
  isSymbol(parser, text)
    ? advance(parser)
    : fail(parser.token.offset, `expected ${text} ${why}, found ${textOf(parser, parser.token)}`)

const infixOf = (token: Lexer.Token): Infix | undefined =>
  token.kind === "word" || token.kind === "symbol" ? infixes.get(token.text) : undefined

/** An expression whose operators all bind at least as tightly as `power`. */
const expression = (parser: Parser, power: number): Result =>
  Either.gen(function* () {
    let left = yield* nested(parser, prefix)
    for (let infix = infixOf(parser.token); infix !== undefined; infix = infixOf(parser.token)) {
      if (infix.power < power) {
        break
      }
      left = yield* infixed(parser, left, infix)
    }
    return left
  })

const infixed = (parser: Parser, left: Syntax.Node, infix: Infix): Result => {
  switch (infix.kind) {
    case "logic":
      return logic(parser, left, infix.name, infix.power)
    case "arithmetic":
      return arithmetic(parser, left, infix.power)
    default:
      return comparison(parser, left, infix)
  }
}

const nested = (parser: Parser, parse: (parser: Parser) => Result): Result => {
  if (parser.depth >= depthMax) {
    return fail(parser.token.offset, `nested more than ${depthMax} deep`)
  }
  parser.depth += 1
  const result = parse(parser)
  parser.depth -= 1
  return result
}

const logic = (parser: Parser, first: Syntax.Node, kind: "or" | "and", power: number): Result =>
  Either.gen(function* () {
    const operands = [first]
    while (infixOf(parser.token)?.power === power) {
      yield* advance(parser)
      operands.push(yield* expression(parser, power + 1))
    }
    return { kind, operands }
  })

const arithmetic = (parser: Parser, first: Syntax.Node, power: number): Result =>
  Either.gen(function* () {
    const rest: Array<Syntax.ArithmeticStep> = []
    for (let infix = infixOf(parser.token); infix?.power === power; infix = infixOf(parser.token)) {
      yield* advance(parser)
      const operand = yield* expression(parser, power + 1)
      if (infix.kind === "arithmetic") {
        rest.push({ operator: infix.name, operand })
      }
    }
    return { kind: "arithmetic", first, rest } as const
  })

type ComparisonInfix = Exclude<Infix, { readonly kind: "logic" | "arithmetic" }>

const comparison = (parser: Parser, left: Syntax.Node, infix: ComparisonInfix): Result =>
  Either.gen(function* () {
    yield* advance(parser)
    const node = yield* comparisonAfter(parser, left, infix)
    if (infixOf(parser.token)?.power === Power.comparison) {
      const found = textOf(parser, parser.token)
      const detail = `${found} cannot follow a comparison: join the two with and, or put one in parentheses`
      return yield* fail(parser.token.offset, detail)
    }
    return node
  })

const comparisonAfter = (parser: Parser, left: Syntax.Node, infix: ComparisonInfix): Result => {
  switch (infix.kind) {
    case "is":
      return isNull(parser, left)
    case "not":
      return notIn(parser, left)
    case "compare":
      return compared(parser, left, infix.name)
  }
}

const compared = (parser: Parser, left: Syntax.Node, operator: Syntax.Comparison): Result => {
  const offset = parser.token.offset
  return Either.flatMap(expression(parser, Power.sum), (right) => compareNode(operator, left, right, offset))
}

/** A pattern that is written out is compiled here, so that it is wrong now rather than false later. */
const compareNode = (operator: Syntax.Comparison, left: Syntax.Node, right: Syntax.Node, offset: number): Result => {
  if (operator !== "matches" || right.kind !== "literal" || typeof right.value !== "string") {
    return Either.right({ kind: "compare", operator, left, right })
  }
  const source = right.value
  return Either.try({
    try: () => ({ kind: "pattern", subject: left, pattern: RE2JS.compile(source) }) as const,
    catch: (error) => ({ offset, detail: `not a supported pattern: ${reasonOf(error)}` })
  })
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace("error parsing regexp: ", "")

const isNull = (parser: Parser, operand: Syntax.Node): Result =>
  Either.gen(function* () {
    const negated = isWord(parser, "not")
    if (negated) {
      yield* advance(parser)
    }
    if (!isWord(parser, "null")) {
      const found = textOf(parser, parser.token)
      return yield* fail(parser.token.offset, `expected null or not null after is, found ${found}`)
    }
    yield* advance(parser)
    const call = { kind: "call", name: "is_null", argument: operand } as const
    return negated ? ({ kind: "not", operand: call } as const) : call
  })

const notIn = (parser: Parser, left: Syntax.Node): Result =>
  Either.gen(function* () {
    if (!isWord(parser, "in")) {
      return yield* fail(parser.token.offset, `expected in after not, found ${textOf(parser, parser.token)}`)
    }
    yield* advance(parser)
    return { kind: "not", operand: yield* compared(parser, left, "in") } as const
  })

const prefix = (parser: Parser): Result => {
  const token = parser.token
  switch (token.kind) {
    case "number":
    case "string":
      return Either.map(advance(parser), () => ({ kind: "literal", value: token.value }) as const)
    case "path":
      return Either.map(advance(parser), () => ({ kind: "path", path: token.path }) as const)
    case "symbol":
      return symbolPrefix(parser, token.text)
    case "word":
      return wordPrefix(parser, token.text)
    case "end":
      return fail(token.offset, "expected a value, found the end")
  }
}

const symbolPrefix = (parser: Parser, symbol: string): Result =>
  Either.gen(function* () {
    const offset = parser.token.offset
    switch (symbol) {
      case "(": {
        yield* advance(parser)
        const node = yield* expression(parser, Power.or)
        yield* expectSymbol(parser, ")", `to close the ( at column ${offset + 1}`)
        return node
      }
      case "[": {
        yield* advance(parser)
        const elements = yield* list(parser, "]", offset)
        return { kind: "array", elements: elements.map(({ node }) => node) } as const
      }
      case "!":
        yield* advance(parser)
        return { kind: "not", operand: yield* expression(parser, Power.prefix) } as const
      case "-":
        yield* advance(parser)
        return { kind: "negate", operand: yield* expression(parser, Power.prefix) } as const
      default:
        return yield* fail(offset, `expected a value, found ${symbol}`)
    }
  })

const wordPrefix = (parser: Parser, word: string): Result =>
  Either.gen(function* () {
    const offset = parser.token.offset
    yield* advance(parser)
    if (word === "not") {
      return { kind: "not", operand: yield* expression(parser, Power.not) } as const
    }
    const literal = literals.get(word)
    if (literal !== undefined) {
      return { kind: "literal", value: literal } as const
    }
    if (!isSymbol(parser, "(") || word === "and" || word === "or" || word === "in" || word === "is") {
      return yield* fail(offset, `expected a value, found the operator ${word}: a field of that name is $.${word}`)
    }
    return yield* call(parser, word, offset)
  })

interface Argument {
  readonly node: Syntax.Node
  readonly offset: number
}

/** The elements of an array or the arguments of a call, and what closes them. A comma may follow the last one. */
const list = (parser: Parser, close: ")" | "]", open: number): Result<ReadonlyArray<Argument>> =>
  Either.gen(function* () {
    const elements: Array<Argument> = []
    while (!isSymbol(parser, close)) {
      const offset = parser.token.offset
      elements.push({ node: yield* expression(parser, Power.or), offset })
      if (!isSymbol(parser, ",")) {
        break
      }
      yield* advance(parser)
    }
    yield* expectSymbol(parser, close, `or a comma in the list from column ${open + 1}`)
    return elements
  })

const call = (parser: Parser, name: string, offset: number): Result => {
  if (!functionNames.includes(name)) {
    return fail(offset, `there is no function ${name}()${meant(name, functionNames, "()")}`)
  }
  const open = parser.token.offset
  return advance(parser).pipe(
    Either.flatMap(() => list(parser, ")", open)),
    Either.flatMap((args) => callNode(name, args, offset))
  )
}

const callNode = (name: string, args: ReadonlyArray<Argument>, offset: number): Result => {
  const [first, second] = args
  const operator = comparisonCalls.find((operator) => operator === name)
  const expected = operator === undefined ? 1 : 2
  if (first === undefined || args.length !== expected) {
    return fail(offset, `${name}() takes ${expected === 1 ? "1 argument" : "2 arguments"}, not ${args.length}`)
  }
  if (operator !== undefined && second !== undefined) {
    return compareNode(operator, first.node, second.node, second.offset)
  }
  const value = valueCalls.find((value) => value === name)
  if (value !== undefined) {
    return Either.right({ kind: "call", name: value, argument: first.node })
  }
  return first.node.kind === "path"
    ? Either.right({ kind: "exists", path: first.node.path })
    : fail(first.offset, "exists() takes a path, such as exists(a.b)")
}

const trailing = (parser: Parser): Result<never> => {
  const found = textOf(parser, parser.token)
  const operators = [...infixes.keys()].filter((name) => /^[a-z]/.test(name))
  const hint = parser.token.kind === "path" || parser.token.kind === "word" ? meant(found, operators, "") : ""
  return fail(parser.token.offset, `expected an operator or the end, found ${found}${hint}`)
}

const meant = (written: string, known: ReadonlyArray<string>, suffix: string): string => {
  const lower = written.toLowerCase()
  const nearest = closest(lower, known)
  return distance(lower, nearest) <= Math.max(1, Math.floor(nearest.length / 3))
    ? `: did you mean ${nearest}${suffix}?`
    : ""
}
