/**
 * SHA-256 of texts and of bytes.
 *
 * Being synchronous and free of platform imports, it can stand inside pure functions such as `SafeName.encode`. For
 * names, claims and checksums, not for secrets.
 *
 * @since 0.1.0
 */
import { sha256 as hash } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"

/**
 * The SHA-256 of a text's UTF-8 bytes as 64 lower-case hex digits.
 *
 * @since 0.1.0
 * @category encoding
 */
export const sha256 = (text: string): string => bytesToHex(hash(utf8ToBytes(text)))

/**
 * The SHA-256 of bytes that come one after another.
 *
 * @since 0.1.0
 * @category models
 */
export interface Running {
  readonly update: (bytes: Uint8Array) => void
  /** The digest of all that came, as 64 lower-case hex digits. Nothing can come after it. */
  readonly end: () => string
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const running = (): Running => {
  const state = hash.create()
  return { update: (bytes) => void state.update(bytes), end: () => bytesToHex(state.digest()) }
}
