/**
 * CRC-32 of texts: finds every damage within 32 neighbouring bits, and all but one in four billion of any other.
 *
 * Against disks that rot, not against forgery: where a proof is needed, `Digest` has SHA-256. A quarter of its time and
 * an eighth of its length let it stand in every line of a journal.
 *
 * @since 0.1.0
 */

/**
 * The CRC-32 (that of zip and png) of a text's UTF-8 bytes, as 8 lower-case hex digits.
 *
 * @since 0.1.0
 * @category encoding
 */
export const crc32 = (text: string): string => {
  const bytes = encoder.encode(text)
  let crc = -1
  for (let at = 0; at < bytes.length; at++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0)
  return (~crc >>> 0).toString(16).padStart(8, "0")
}

const encoder = new TextEncoder()

const table: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0)
  return rest
})
