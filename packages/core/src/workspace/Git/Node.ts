/**
 * Git processes on Node.
 *
 * Owns starting, reading and ending them. Does not own their environment or the meaning of their exit.
 *
 * Commands are started by small shells that wait for them: Node forks itself for every process, which takes the longer
 * the more memory it has (4 ms of processor time for each 100 MB), and a job runs five commands for every item. Arguments
 * are quoted, so that no text of theirs is ever read as a command.
 *
 * The processes have a session of their own: Ctrl-C on the terminal is for us, who then bring what is under way to its
 * end. When we are killed they see the end of their input and go.
 *
 * @since 0.1.0
 */
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import process from "node:process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Dialogue, GitError, type GitOutput, GitProcess, type GitRequest, outputBytesMax } from "../Git.ts"

const stderrCharactersMax = 16 * 1024

/** Shells that are kept while they have nothing to do. */
const idleMax = 8

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<GitProcess> = Layer.scoped(
  GitProcess,
  Effect.gen(function* () {
    const idle: Array<Shell> = []
    yield* Effect.addFinalizer(() => Effect.forEach(idle.splice(0), (shell) => shell.close, { discard: true }))

    const run = (request: GitRequest): Effect.Effect<GitOutput, GitError> =>
      Effect.suspend(() => {
        if (request.stdin !== undefined) return runDirectly(request, request.stdin)
        const at = idle.findLastIndex((one) => one.fits(request))
        const shell = (at < 0 ? undefined : idle.splice(at, 1)[0]) ?? new Shell(request)
        const giveBack = Effect.suspend(() => {
          if (!shell.alive) return Effect.void
          idle.push(shell)
          // The one that has waited longest is of an earlier run, or as good as any other.
          return idle.length > idleMax ? (idle.shift()?.close ?? Effect.void) : Effect.void
        })
        return Effect.ensuring(shell.run(request), giveBack)
      })

    return {
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
    }
  })
)

const failure = (request: GitRequest, exitCode: number | null, stderr: string, reason: GitError["reason"] = "failed") =>
  new GitError({ args: request.args, cwd: request.cwd, reason, exitCode, stderr })

const notStarted = (request: GitRequest, cwd: string, error: NodeJS.ErrnoException): GitError => {
  // Node says ENOENT for a missing program and for a missing directory alike.
  const nowhere = error.code === "ENOTDIR" || !existsSync(cwd)
  const reason = nowhere ? "no_directory" : error.code === "ENOENT" ? "missing" : "failed"
  return failure(request, null, error.message, reason)
}

/** Some reasons not to start are thrown by Node, others told to the child's `error` listener. */
const start = (command: string, args: ReadonlyArray<string>, request: GitRequest, cwd: string) => {
  try {
    return spawn(command, args, { cwd, env: request.env, stdio: "pipe", detached: true })
  } catch (error) {
    return notStarted(request, cwd, error instanceof Error ? error : new Error(String(error)))
  }
}

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("close", () => resume(Effect.void))
    // The end of its input ends it; it holds nothing between two requests.
    child.stdin?.end()
  })

/** For the few commands with input, which may hold bytes that no shell takes. */
const runDirectly = (request: GitRequest, stdin: string): Effect.Effect<GitOutput, GitError> =>
  Effect.async((resume) => {
    const child = start("git", request.args, request, request.cwd)
    if (child instanceof GitError) return resume(child)
    const stdout: Array<Buffer> = []
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => void stdout.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString("utf8")).slice(-stderrCharactersMax)
    })
    child.on("error", (error) => {
      if (child.pid === undefined) resume(notStarted(request, request.cwd, error))
    })
    child.on("close", (code, signal) =>
      resume(
        code === null
          ? failure(request, null, `ended by ${signal}. ${stderr}`)
          : Effect.succeed({ exitCode: code, stdout: Buffer.concat(stdout).toString("utf8"), stderr })
      )
    )
    // A command that ends before it has read everything says why by its exit code.
    child.stdin.on("error", () => undefined)
    child.stdin.end(stdin)
    return Effect.suspend(() => {
      child.kill("SIGTERM")
      return ended(child)
    })
  })

interface Answer {
  readonly request: GitRequest
  readonly give: (result: Effect.Effect<GitOutput, GitError>) => void
  readonly chunks: Array<Buffer>
  bytes: number
  /** The end of standard output, where the mark and the exit code will be. */
  tail: string
  stderr: string
}

/** A shell that runs one git command after another. */
class Shell {
  alive = true
  private readonly child: ChildProcess | GitError
  private readonly env: GitRequest["env"]
  /** Stands behind the output of each command; no output can know it. */
  private readonly mark = randomUUID()
  private answer: Answer | undefined

  constructor(request: GitRequest) {
    this.env = request.env
    const child = start("/bin/sh", ["-s"], request, "/")
    this.child = child
    if (child instanceof GitError) {
      this.alive = false
      return
    }
    child.stdin?.on("error", () => undefined)
    child.stdout?.on("data", (chunk: Buffer) => this.hear(chunk))
    child.stderr?.setEncoding("utf8")
    child.stderr?.on("data", (text: string) => {
      if (this.answer === undefined) return
      this.answer.stderr = (this.answer.stderr + text).slice(-stderrCharactersMax)
      this.conclude()
    })
    child.on("error", (error) => {
      if (child.pid === undefined) this.fail((request) => notStarted(request, "/", error))
    })
    child.on("close", (code, signal) =>
      this.fail((request) => failure(request, null, `its shell ended with ${signal ?? code}`))
    )
  }

  /**
   * Whether it is of the same run. It carries that run's mark itself: were we killed while it starts a command, whoever
   * looks for that command finds the shell, which stays until the command has ended.
   */
  fits(request: GitRequest): boolean {
    return this.env["PRODIGY_SPAWN_ID"] === request.env["PRODIGY_SPAWN_ID"]
  }

  run(request: GitRequest): Effect.Effect<GitOutput, GitError> {
    return Effect.async((resume) => {
      const child = this.child
      if (child instanceof GitError) return resume(child)
      this.answer = { request, give: resume, chunks: [], bytes: 0, tail: "", stderr: "" }
      child.stdin?.write(this.script(request))
      return Effect.suspend(() => {
        this.kill()
        return ended(child)
      })
    })
  }

  get close(): Effect.Effect<void> {
    this.alive = false
    return this.child instanceof GitError ? Effect.void : ended(this.child)
  }

  private script({ args, cwd, env, next }: GitRequest): string {
    const set = Object.entries(env).filter(([name, value]) => this.env[name] !== value)
    const unset = Object.keys(this.env).filter((name) => env[name] === undefined)
    const start = [
      ...set.map(([name, value]) => `${name}=${quote(value)}`),
      ...(unset.length === 0 ? [] : ["env", ...unset.flatMap((name) => ["-u", name])]),
      "git"
    ]
    const commands = (next === undefined ? [args] : [args, next])
      .map((one) => `${[...start, ...one.map(quote)].join(" ")} </dev/null`)
      .join(" && ")
    return `if cd ${quote(cwd)} 2>/dev/null; then ${commands}; s=$?; else s=nowhere; fi; printf '%s %s\\n' ${this.mark} $s; printf %s ${this.mark} >&2\n`
  }

  private hear(chunk: Buffer): void {
    const answer = this.answer
    if (answer === undefined) return
    answer.bytes += chunk.length
    if (answer.bytes > outputBytesMax) {
      this.fail((request) => failure(request, null, "", "output_too_large"))
      return this.kill()
    }
    answer.chunks.push(chunk)
    answer.tail = (answer.tail + chunk.subarray(-64).toString("latin1")).slice(-64)
    this.conclude()
  }

  private conclude(): void {
    const answer = this.answer
    if (answer === undefined || !answer.stderr.endsWith(this.mark)) return
    const at = answer.tail.indexOf(this.mark)
    if (at < 0 || !answer.tail.endsWith("\n")) return
    const status = answer.tail.slice(at + this.mark.length + 1, -1)
    const stderr = answer.stderr.slice(0, -this.mark.length)
    const all = Buffer.concat(answer.chunks)
    this.answer = undefined
    if (status === "nowhere") return answer.give(failure(answer.request, null, "no such directory", "no_directory"))
    if (status === "127") return answer.give(failure(answer.request, null, stderr, "missing"))
    const stdout = all.subarray(0, all.length - (answer.tail.length - at)).toString("utf8")
    answer.give(Effect.succeed({ exitCode: Number(status), stdout, stderr }))
  }

  private fail(why: (request: GitRequest) => GitError): void {
    this.alive = false
    const answer = this.answer
    this.answer = undefined
    answer?.give(why(answer.request))
  }

  /** Ends the shell with the command that it waits for: they are a process group. */
  private kill(): void {
    this.alive = false
    if (this.child instanceof GitError || this.child.pid === undefined) return
    try {
      process.kill(-this.child.pid, "SIGTERM")
    } catch {
      // It is gone already.
    }
  }
}

const quote = (text: string): string => (/^[\w./=:,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

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

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => (this.child === undefined ? Effect.void : ended(this.child)))
  }

  private start(): ChildProcess | GitError {
    const { args, cwd } = this.request
    const child = start("git", args, this.request, cwd)
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
      if (child.pid === undefined) this.fail(child, notStarted(this.request, cwd, error))
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
