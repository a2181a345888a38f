/**
 * The messages of the commits that we make.
 *
 * Owns subject and trailers, and that no text of an item can forge either. Item ids are data: in the subject they are
 * cut to one short line; in the trailer they stand as they are, or as a JSON string when they do not fit one line.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { JobId } from "../domain/JobId.ts"
import type { SessionId } from "../domain/SessionId.ts"
import { ItemId } from "../domain/WorkItem.ts"
import type { AgentWork } from "./Workspace.ts"

/**
 * Characters of an item's id in a subject.
 *
 * @since 0.1.0
 * @category models
 */
export const subjectCharactersMax = 72

/**
 * The commit of what an attempt left uncommitted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const leftovers = (jobId: JobId, work: AgentWork): string =>
  `Prodigy: ${oneLine(work.itemId)} (attempt ${work.attempt})\n\n${trailers(jobId, work)}`

/**
 * The merge of an agent's work into the parent branch.
 *
 * @since 0.1.0
 * @category constructors
 */
export const merge = (jobId: JobId, work: AgentWork): string =>
  `Merge ${work.agentId} (${oneLine(work.itemId)})\n\n${trailers(jobId, work)}`

/**
 * Whose a commit is: a job's, or that of a session without one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Origin {
  readonly jobId: JobId | null
  readonly sessionId: SessionId
}

/**
 * The commit of what a phase left uncommitted in the parent worktree.
 *
 * @since 0.1.0
 * @category constructors
 */
export const phase = (origin: Origin, name: string): string => `Prodigy: ${name}\n\n${whose(origin)}`

/**
 * The merge of a session's branch into a target that has moved on.
 *
 * @since 0.1.0
 * @category constructors
 */
export const finish = (origin: Origin, branch: string, target: string): string =>
  `Merge ${branch} into ${target}\n\n${whose(origin)}`

const whose = ({ jobId, sessionId }: Origin): string =>
  jobId === null ? `Prodigy-Session: ${sessionId}\n` : `Prodigy-Job: ${jobId}\n`

const trailers = (jobId: JobId, work: AgentWork): string =>
  `Prodigy-Job: ${jobId}\nProdigy-Item: ${trailer(work.itemId)}\nProdigy-Agent: ${work.agentId}\n`

// Controls, line and paragraph separators, and the marks that turn the direction of what follows.
const unfit = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu

const oneLine = (text: string): string => {
  const line = text.replaceAll(unfit, " ").replaceAll(/\s+/g, " ").trim()
  const characters = Array.from(line)
  return characters.length > subjectCharactersMax ? `${characters.slice(0, subjectCharactersMax - 1).join("")}…` : line
}

/**
 * The item whose work a merge of ours brought in, by the trailer's value; null for a text that is none.
 *
 * @since 0.1.0
 * @category decoding
 */
export const itemOf = (value: string): ItemId | null => {
  const text = value.startsWith('"') ? Option.getOrNull(decodeText(value)) : value
  return text !== null && Schema.is(ItemId)(text) ? text : null
}

const decodeText = Schema.decodeUnknownOption(Schema.parseJson(Schema.String))

/** A reader gets the id back: a value that begins with a quotation mark is JSON. */
const trailer = (text: string): string =>
  /^["\s]|\s$/.test(text) || text.replaceAll(unfit, "") !== text
    ? JSON.stringify(text).replaceAll(unfit, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
    : text
