/**
 * Git processes on Node.
 *
 * Owns starting, reading and ending them. Does not own their environment or the meaning of their exit.
 *
 * @since 0.1.0
 */
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import process from "node:process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Dialogue, GitError, type GitOutput, GitProcess, type GitRequest, outputBytesMax } from "../Git.ts"

const stderrCharactersMax = 16 * 1024

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<GitProcess> = Layer.sync(GitProcess, () => ({
  environment: Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  ),
  run,
  dialogue: (request) =>
    Effect.gen(function* () {
      const one = yield* Effect.makeSemaphore(1)
      const speaker = new Speaker(request)
      yield* Effect.addFinalizer(() => one.withPermits(1)(speaker.close))
      return {
        ask: (text, lines) => one.withPermits(1)(Effect.uninterruptible(speaker.ask(text, lines)))
      } satisfies Dialogue
    })
}))

const failure = (request: GitRequest, exitCode: number | null, stderr: string, reason: GitError["reason"] = "failed") =>
  new GitError({ args: request.args, cwd: request.cwd, reason, exitCode, stderr })

const notStarted = (request: GitRequest, error: NodeJS.ErrnoException): GitError => {
  // Node says ENOENT for a missing program and for a missing directory alike.
  const nowhere = error.code === "ENOTDIR" || !existsSync(request.cwd)
  const reason = nowhere ? "no_directory" : error.code === "ENOENT" ? "missing" : "failed"
  return failure(request, null, error.message, reason)
}

/** Some reasons not to start are thrown by Node, others told to the child's `error` listener. */
const start = (request: GitRequest, stdin: "ignore" | "pipe"): ChildProcess | GitError => {
  try {
    return spawn("git", request.args, { cwd: request.cwd, env: request.env, stdio: [stdin, "pipe", "pipe"] })
  } catch (error) {
    return notStarted(request, error instanceof Error ? error : new Error(String(error)))
  }
}

const run = (request: GitRequest): Effect.Effect<GitOutput, GitError> =>
  Effect.async((resume) => {
    const child = start(request, request.stdin === undefined ? "ignore" : "pipe")
    if (child instanceof GitError) return resume(child)
    const chunks: Array<Buffer> = []
    let bytes = 0
    let stderr = ""
    let spawnError: NodeJS.ErrnoException | undefined
    child.stdout!.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > outputBytesMax) child.kill()
      else chunks.push(chunk)
    })
    child.stderr!.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString("utf8")).slice(-stderrCharactersMax)
    })
    child.on("error", (error) => {
      spawnError = error
      if (child.pid === undefined) resume(notStarted(request, error))
    })
    child.on("close", (code, signal) => {
      if (child.pid === undefined) return
      if (bytes > outputBytesMax) return resume(failure(request, code, stderr, "output_too_large"))
      if (code === null) return resume(failure(request, null, `ended by ${signal ?? spawnError?.message}. ${stderr}`))
      resume(Effect.succeed({ exitCode: code, stdout: Buffer.concat(chunks).toString("utf8"), stderr }))
    })
    if (request.stdin !== undefined && child.stdin !== null) {
      // A command that ends before it has read everything says why by its exit code.
      child.stdin.on("error", () => undefined)
      child.stdin.end(request.stdin)
    }
    return Effect.async<void>((ended) => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return ended(Effect.void)
      child.once("close", () => ended(Effect.void))
      child.kill("SIGTERM")
    })
  })

interface Question {
  readonly lines: number
  readonly answer: (result: Effect.Effect<ReadonlyArray<string>, GitError>) => void
}

/** One process at a time, and at most one question that waits for its answer. */
class Speaker {
  private child: ChildProcess | undefined
  private output = ""
  private stderr = ""
  private question: Question | undefined
  private readonly request: GitRequest

  constructor(request: GitRequest) {
    this.request = request
  }

  ask(text: string, lines: number): Effect.Effect<ReadonlyArray<string>, GitError> {
    return Effect.async((resume) => {
      const child = this.child ?? this.start()
      if (child instanceof GitError) return resume(child)
      this.output = ""
      this.question = { lines, answer: resume }
      child.stdin?.write(text)
    })
  }

  readonly close: Effect.Effect<void> = Effect.async((resume) => {
    const child = this.child
    if (child === undefined || child.pid === undefined) return resume(Effect.void)
    child.once("close", () => resume(Effect.void))
    // The end of its input ends it; it holds nothing between two questions.
    child.stdin?.end()
  })

  private start(): ChildProcess | GitError {
    const child = start(this.request, "pipe")
    if (child instanceof GitError) return child
    this.child = child
    this.stderr = ""
    child.stdout?.setEncoding("utf8")
    child.stderr?.setEncoding("utf8")
    child.stdin?.on("error", () => undefined)
    child.stdout?.on("data", (text: string) => {
      this.output += text
      this.hear()
    })
    child.stderr?.on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-stderrCharactersMax)
    })
    child.on("error", (error) => {
      if (child.pid === undefined) this.fail(child, notStarted(this.request, error))
    })
    child.on("close", (code) => this.fail(child, failure(this.request, code, this.stderr)))
    return child
  }

  private hear(): void {
    const question = this.question
    if (question === undefined) return
    const lines = this.output.split("\n")
    if (lines.length <= question.lines) return
    this.question = undefined
    question.answer(Effect.succeed(lines.slice(0, question.lines)))
  }

  private fail(child: ChildProcess, error: GitError): void {
    if (this.child !== child) return
    this.child = undefined
    const question = this.question
    this.question = undefined
    question?.answer(error)
  }
}
